// GuestProcess: a process that holds nothing but one view of guest memory, and runs guest code in it.
//
// The monitor is its tracer. It is only ever resumed so that a system call stops it before it is made
// (PTRACE_SYSEMU), but for the stub's, which make its mappings; a seccomp filter stands behind that. All
// signals that it gets stop it, and none is delivered.
#pragma once

#include <sys/types.h>
#include <sys/user.h>

#include <memory>
#include <vector>

#include "base/result.h"
#include "direct-exec/process_stub.h"

namespace ringshift {

// Why a guest process stopped.
struct HostStop {
  enum class Kind : u8 {
    fault,    // an exception of its code, as the host's signal
    syscall,  // it came to a system call, which was not made
    kicked,   // a signal from elsewhere
    gone,     // it is dead
  };
  Kind kind = Kind::gone;
  int signal = 0;
  int code = 0;     // siginfo's
  u64 address = 0;  // siginfo's
};

class GuestProcess {
 public:
  // A stopped tracee of the calling thread, forked from the nest.
  GuestProcess(pid_t pid, ProcessStub& stub) : pid_(pid), stub_(stub) {}
  GuestProcess(const GuestProcess&) = delete;
  ~GuestProcess();

  pid_t pid() const { return pid_; }

  // System calls to make before guest code runs on. flush() makes them; false if one failed.
  void queue(const StubCall& call);
  bool flush();
  // modify_ldt for this entry, queued.
  struct LdtEntry {
    u32 words[4];  // user_desc
  };
  void queue_ldt(const LdtEntry& entry);
  void forget_queue() { queue_.clear(); }

  // Forks it; the child is another stopped tracee. -1 if the host refuses.
  pid_t fork_child();

  // Guest code from these registers on, until it stops; then they are as it left them.
  HostStop run(user_regs_struct& registers, bool single_step);
  bool read_fpu(user_fpregs_struct& fpu) const;
  bool write_fpu(const user_fpregs_struct& fpu) const;
  void run_on_cpu(int cpu);

  // Versions of LDT entries that it has, by slot (selector_aliases.h).
  std::vector<u64> ldt_versions;

 private:
  bool run_stub(unsigned count);
  bool wait(int* status) const;

  pid_t pid_;
  ProcessStub& stub_;
  std::vector<StubCall> queue_;
  std::vector<LdtEntry> ldt_queue_;
  pid_t forked_ = -1;
  int cpu_ = -1;
  bool dead_ = false;
};

}  // namespace ringshift
