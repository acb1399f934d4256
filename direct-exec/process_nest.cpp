// Making empty processes, and the walls around them.
#include "direct-exec/process_nest.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

namespace ringshift {

namespace {

constexpr u64 kUserEnd = 0x7ffffffff000;
constexpr int kArchSetCpuid = 0x1012;

// What the stub needs, and nothing else. Guest code doesn't get as far as this filter (PTRACE_SYSEMU), but by
// a call of the vsyscall page, which Linux emulates: that fails, and the guest goes on.
constexpr sock_filter kFilter[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 5),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 4, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_munmap, 3, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 2, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_modify_ldt, 1, 0),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

void close_all_but(int kept) {
  const auto close_from = [](unsigned first, unsigned last) {
    if (first <= last) (void)::syscall(SYS_close_range, first, last, 0);
  };
  close_from(0, static_cast<unsigned>(kept) - 1);
  close_from(static_cast<unsigned>(kept) + 1, ~0u);
}

// The kernel would write to the area that it knows of, after it is unmapped, and kill the process.
bool leave_rseq() {
  if (__rseq_size == 0) return true;
  auto* const area = static_cast<char*>(__builtin_thread_pointer()) + __rseq_offset;
  constexpr unsigned kOriginalSize = 32;
  return ::syscall(SYS_rseq, area, kOriginalSize, RSEQ_FLAG_UNREGISTER, RSEQ_SIG) == 0 || errno == ENOSYS;
}

// In the child, between fork and its first stop. Exit statuses say what failed.
[[noreturn]] void become_guest_process(int stub_fd, int memory_fd, u8* cpuid_note) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::setsid();
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGCHLD, SIG_IGN);  // so that its children leave no zombies
  void* const at = reinterpret_cast<void*>(ProcessStub::kAddress);
  void* const list = reinterpret_cast<void*>(ProcessStub::kCallsAt);
  constexpr int kFlags = MAP_SHARED | MAP_FIXED_NOREPLACE;
  if (::mmap(at, kPageSize, PROT_READ | PROT_EXEC, kFlags, stub_fd, 0) != at) ::_exit(2);
  if (::mmap(list, kPageSize, PROT_READ, kFlags, stub_fd, kPageSize) != list) ::_exit(2);
  if (::prctl(PR_SET_TSC, PR_TSC_SIGSEGV) != 0) ::_exit(3);
  *cpuid_note = ::syscall(SYS_arch_prctl, kArchSetCpuid, 0) == 0 ? 1 : 0;
  if (!leave_rseq()) ::_exit(4);
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) ::_exit(5);
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(6);
  close_all_but(memory_fd);
  ::raise(SIGSTOP);
  ::_exit(7);
}

tl::unexpected<Error> unavailable(const char* what) {
  return fail(ErrorKind::engine_unavailable, "-engine trap: {}: {}", what, std::strerror(errno));
}

}  // namespace

Result<std::unique_ptr<ProcessNest>> ProcessNest::create(int memory_fd) {
  ProcessStub stub = RS_TRY(ProcessStub::create());
  std::unique_ptr<ProcessNest> nest(new ProcessNest(std::move(stub)));
  RS_TRY(nest->start(memory_fd));
  return nest;
}

ProcessNest::ProcessNest(ProcessStub stub) : stub_(std::move(stub)) {}
ProcessNest::~ProcessNest() = default;

Result<void> ProcessNest::start(int memory_fd) {
  tracer_ = ::gettid();
  const pid_t pid = ::fork();
  if (pid < 0) return unavailable("no process for the guest's code");
  if (pid == 0) become_guest_process(stub_.fd(), memory_fd, stub_.data().data());
  int status = 0;
  while (::waitpid(pid, &status, __WALL) < 0 && errno == EINTR) {
  }
  if (!WIFSTOPPED(status))
    return fail(ErrorKind::engine_unavailable,
                "-engine trap: this host doesn't let a process be prepared for guest code (step {})",
                WIFEXITED(status) ? WEXITSTATUS(status) : 0);
  first_ = std::make_unique<GuestProcess>(pid, stub_);
  constexpr u64 kOptions = PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK;
  if (::ptrace(PTRACE_SETOPTIONS, pid, nullptr, kOptions) != 0) return unavailable("PTRACE_SETOPTIONS");
  cpuid_faults_ = stub_.data()[0] != 0;
  RS_TRY(strip());
  lowest_ = probe_lowest();
  return {};
}

Result<void> ProcessNest::strip() {
  constexpr u64 kBehind = ProcessStub::kAddress + ProcessStub::kLength;
  first_->queue({SYS_munmap, {0, ProcessStub::kAddress}, 0});
  first_->queue({SYS_munmap, {kBehind, kUserEnd - kBehind}, 0});
  if (!first_->flush()) return unavailable("a guest process keeps mappings of the monitor's");
  return {};
}

u64 ProcessNest::probe_lowest() {
  constexpr u64 kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
  for (u64 at = 0; at < 0x100000; at = at == 0 ? kPageSize : at * 2) {
    first_->queue({SYS_mmap, {at, kPageSize, PROT_READ, kFlags, ~u64{0}, 0}, 0});
    first_->queue({SYS_munmap, {at, kPageSize}, 0});
    if (first_->flush()) return at;
  }
  return 0x100000;
}

Result<std::unique_ptr<GuestProcess>> ProcessNest::spawn() {
  const pid_t pid = first_->fork_child();
  if (pid <= 0) return unavailable("no more processes for the guest's code");
  auto made = std::make_unique<GuestProcess>(pid, stub_);
  // The filter's program has to lie in the process.
  std::memcpy(stub_.data().data(), kFilter, sizeof kFilter);
  struct {
    u64 length;
    u64 program;
  } const program{std::size(kFilter), ProcessStub::kDataAt};
  std::memcpy(stub_.data().data() + sizeof kFilter, &program, sizeof program);
  made->queue({SYS_seccomp, {SECCOMP_SET_MODE_FILTER, 0, ProcessStub::kDataAt + sizeof kFilter}, 0});
  if (!made->flush()) return unavailable("no seccomp filter");
  return made;
}

}  // namespace ringshift
