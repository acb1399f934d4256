// The probe on this host, and in processes that lack what the trap engine asks for.
#include "direct-exec/trap_probe.h"

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>

namespace ringshift {
namespace {

TEST(TrapProbe, OfThisHost) {
  const TrapProbe probe = probe_trap();
  ASSERT_FALSE(probe.checks.empty());
  if (const TrapCheck* const failing = probe.failing()) {
    EXPECT_FALSE(failing->detail.empty());
    EXPECT_EQ(failing, &probe.checks.back());
    EXPECT_EQ(probe.trap_ns, 0);
    return;
  }
  EXPECT_EQ(probe.checks.size(), 4u);
  constexpr double kMicrosecond = 1000;
  EXPECT_GT(probe.trap_ns, kMicrosecond);
  EXPECT_LT(probe.trap_ns, 10'000 * kMicrosecond);
  EXPECT_LE(probe.lowest_mapping, u64{1} << 20);
}

// From here on the calling process gets EPERM for the system call.
bool forbid(u32 number) {
  const sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{std::size(filter), const_cast<sock_filter*>(filter)};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

std::string failing_name(const TrapProbe& probe) {
  return probe.failing() == nullptr ? "none" : probe.failing()->name;
}

// Which check fails in a process that may not make the system call.
std::string failing_without(u32 number) {
  int ends[2];
  if (::pipe(ends) != 0) return "no pipe";
  const pid_t pid = ::fork();
  if (pid == 0) {
    std::string name = "no filter";
    if (forbid(number)) name = failing_name(probe_trap());
    const bool told = ::write(ends[1], name.data(), name.size()) == static_cast<ssize_t>(name.size());
    ::_exit(told ? 0 : 1);
  }
  ::close(ends[1]);
  char text[256];
  const ssize_t got = ::read(ends[0], text, sizeof text);
  ::close(ends[0]);
  int status = 0;
  ::waitpid(pid, &status, 0);
  EXPECT_EQ(status, 0);
  return got > 0 ? std::string(text, static_cast<std::size_t>(got)) : std::string();
}

TEST(TrapProbe, NamesWhatTheHostForbids) {
  const TrapProbe probe = probe_trap();
  if (probe.checks.size() < 4) GTEST_SKIP() << "this host forbids something itself: " << failing_name(probe);
  EXPECT_EQ(failing_without(SYS_ptrace), kTrapProcess);
  EXPECT_EQ(failing_without(SYS_seccomp), kTrapFilter);
  EXPECT_EQ(failing_without(SYS_modify_ldt), kTrapSegments);
  EXPECT_EQ(failing_without(SYS_sethostname), failing_name(probe));
}

}  // namespace
}  // namespace ringshift
