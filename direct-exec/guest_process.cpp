// Running a traced process: registers, stops, and the stub's system calls.
#include "direct-exec/guest_process.h"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace ringshift {

namespace {

// Not in glibc's header everywhere.
constexpr auto kSysemu = static_cast<__ptrace_request>(31);
constexpr auto kSysemuStep = static_cast<__ptrace_request>(32);
constexpr int kSyscallStop = SIGTRAP | 0x80;  // with PTRACE_O_TRACESYSGOOD
constexpr u64 kModifyLdtWrite = 0x11;
constexpr u16 kUserCode64 = 0x33, kUserData = 0x2b;

bool synchronous(int signal) {
  return signal == SIGSEGV || signal == SIGTRAP || signal == SIGILL || signal == SIGFPE || signal == SIGBUS;
}

}  // namespace

GuestProcess::~GuestProcess() {
  if (dead_) return;
  int status = 0;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, &status, __WALL);
}

bool GuestProcess::wait(int* status) const {
  pid_t got = 0;
  do {
    got = ::waitpid(pid_, status, __WALL);
  } while (got < 0 && errno == EINTR);
  return got == pid_ && WIFSTOPPED(*status);
}

void GuestProcess::run_on_cpu(int cpu) {
  if (cpu == cpu_ || cpu < 0) return;
  cpu_ = cpu;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<unsigned>(cpu), &set);
  (void)::sched_setaffinity(pid_, sizeof set, &set);
}

// --- The stub ---

void GuestProcess::queue(const StubCall& call) { queue_.push_back(call); }

void GuestProcess::queue_ldt(const LdtEntry& entry) { ldt_queue_.push_back(entry); }

bool GuestProcess::flush() {
  while (!queue_.empty() || !ldt_queue_.empty()) {
    const std::size_t calls = std::min<std::size_t>(queue_.size(), ProcessStub::kMaxCalls);
    const std::size_t descriptors = std::min<std::size_t>(ldt_queue_.size(), ProcessStub::kMaxCalls - calls);
    std::copy_n(queue_.begin(), calls, stub_.calls().begin());
    if (descriptors != 0) std::memcpy(stub_.data().data(), ldt_queue_.data(), descriptors * sizeof(LdtEntry));
    for (std::size_t i = 0; i < descriptors; ++i)
      stub_.calls()[calls + i] = {
          SYS_modify_ldt,
          {kModifyLdtWrite, ProcessStub::kDataAt + i * sizeof(LdtEntry), sizeof(LdtEntry)},
          0};
    const bool done = run_stub(static_cast<unsigned>(calls + descriptors));
    stub_.wipe();
    if (!done) {
      queue_.clear();
      ldt_queue_.clear();
      return false;
    }
    queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(calls));
    ldt_queue_.erase(ldt_queue_.begin(), ldt_queue_.begin() + static_cast<std::ptrdiff_t>(descriptors));
  }
  return true;
}

bool GuestProcess::run_stub(unsigned count) {
  user_regs_struct registers{};
  registers.rip = ProcessStub::kAddress;
  registers.rbx = ProcessStub::kCallsAt;
  registers.rbp = count;
  registers.cs = kUserCode64;
  registers.ss = kUserData;
  registers.eflags = 2;
  registers.orig_rax = ~u64{0};
  if (::ptrace(PTRACE_SETREGS, pid_, nullptr, &registers) != 0) return false;
  for (;;) {
    int status = 0;
    if (::ptrace(PTRACE_CONT, pid_, nullptr, nullptr) != 0 || !wait(&status)) {
      dead_ = dead_ || WIFEXITED(status) || WIFSIGNALED(status);
      return false;
    }
    if (status >> 8 == (SIGTRAP | (PTRACE_EVENT_FORK << 8))) {
      unsigned long child = 0;
      if (::ptrace(PTRACE_GETEVENTMSG, pid_, nullptr, &child) != 0) return false;
      forked_ = static_cast<pid_t>(child);
      continue;
    }
    if (WSTOPSIG(status) == SIGTRAP) break;
    if (synchronous(WSTOPSIG(status))) return false;
    // A kick that came too late: the guest isn't running, and whoever sent it has left a note.
  }
  if (::ptrace(PTRACE_GETREGS, pid_, nullptr, &registers) != 0) return false;
  return registers.rip == stub_.end_address() && registers.rbp == 0;
}

pid_t GuestProcess::fork_child() {
  forked_ = -1;
  queue({SYS_fork, {}, 0});
  if (!flush() || forked_ <= 0) return -1;
  int status = 0;
  while (::waitpid(forked_, &status, __WALL) < 0 && errno == EINTR) {
  }
  return WIFSTOPPED(status) ? forked_ : -1;
}

// --- Guest code ---

HostStop GuestProcess::run(user_regs_struct& registers, bool single_step) {
  int status = 0;
  registers.orig_rax = ~u64{0};  // no system call is to be restarted
  if (::ptrace(PTRACE_SETREGS, pid_, nullptr, &registers) != 0 ||
      ::ptrace(single_step ? kSysemuStep : kSysemu, pid_, nullptr, nullptr) != 0 || !wait(&status) ||
      ::ptrace(PTRACE_GETREGS, pid_, nullptr, &registers) != 0) {
    dead_ = dead_ || WIFEXITED(status) || WIFSIGNALED(status);
    return {};
  }
  HostStop stop;
  stop.signal = WSTOPSIG(status);
  if (stop.signal == kSyscallStop) {
    stop.kind = HostStop::Kind::syscall;
    return stop;
  }
  if (!synchronous(stop.signal)) {
    stop.kind = HostStop::Kind::kicked;
    return stop;
  }
  siginfo_t info{};
  if (::ptrace(PTRACE_GETSIGINFO, pid_, nullptr, &info) != 0) return {};
  // Sent by a process, not by the CPU.
  stop.kind = info.si_code <= 0 ? HostStop::Kind::kicked : HostStop::Kind::fault;
  stop.code = info.si_code;
  stop.address = reinterpret_cast<u64>(info.si_addr);
  return stop;
}

bool GuestProcess::read_fpu(user_fpregs_struct& fpu) const {
  return ::ptrace(PTRACE_GETFPREGS, pid_, nullptr, &fpu) == 0;
}

bool GuestProcess::write_fpu(const user_fpregs_struct& fpu) const {
  return ::ptrace(PTRACE_SETFPREGS, pid_, nullptr, &fpu) == 0;
}

}  // namespace ringshift
