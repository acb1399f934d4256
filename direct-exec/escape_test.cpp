// Guests that attack the trap engine: they leave 32-bit mode, make the host's system calls, look for the
// monitor. Nothing outside the guest changes, and it gets an exception.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>

#include "direct-exec/process_nest.h"
#include "direct-exec/trap_fixture.h"

// Guest code, to stand at 10000h (kCode), with a path at 30000h. 64-bit parts are reached by a far jump to
// the host's 64-bit code segment.
#define GUEST_CODE(name, body)                                                                   \
  asm(".pushsection .rodata\n.globl attack_" #name "_begin, attack_" #name "_end\nattack_" #name \
      "_begin:\n" body "\nattack_" #name "_end:\n.code64\n.popsection\n");                       \
  extern "C" const unsigned char attack_##name##_begin[], attack_##name##_end[]
// The NOP and the store are executed by the interpreter when their pages are first touched; the jump is the
// CPU's, and the page with the path is one that it may write to.
#define TO_64_BITS(name) ".code32\n nop\n movl $0, 0x30ff0\n ljmp $0x33, $(0x10000 + 18)\n.code64\n"

GUEST_CODE(system_call, TO_64_BITS()
           "movl $87, %eax\n movl $0x30000, %edi\n syscall\n"  // unlink
           "movl $0x600d, %eax\n 1: jmp 1b");
GUEST_CODE(many_system_calls, TO_64_BITS()
           "xorl %ebx, %ebx\n 1: movl %ebx, %eax\n movl $0x30000, %edi\n movl $0x30000, %esi\n"
           "syscall\n incl %ebx\n cmpl $450, %ebx\n jne 1b\n 2: jmp 2b");
GUEST_CODE(int80_in_64_bits, TO_64_BITS() "movl $10, %eax\n movl $0x30000, %ebx\n int $0x80\n 1: jmp 1b");
// The stub's loop of system calls, with a list of the guest's own.
GUEST_CODE(stub,
           TO_64_BITS() "movl $0x31000, %ebx\n movl $1, %ebp\n movabsq $0x5a5a00000000, %rax\n jmp *%rax");
GUEST_CODE(read_monitor, TO_64_BITS() "movq 0x30000, %rbx\n movq (%rbx), %rcx\n movq %rcx, 0x30008\n hlt");
// gettimeofday of the vsyscall page, which is in every process.
GUEST_CODE(vsyscall, TO_64_BITS() "movq $0xffffffffff600000, %rax\n movl $0x30008, %edi\n xorl %esi, %esi\n"
           "call *%rax\n hlt");
GUEST_CODE(spin, TO_64_BITS() "1: jmp 1b");
GUEST_CODE(int80, ".code32\n movl $10, %eax\n movl $0x30000, %ebx\n int $0x80\n");
GUEST_CODE(sysenter, ".code32\n movl $10, %eax\n movl $0x30000, %ebx\n movl %esp, %ebp\n sysenter\n");
GUEST_CODE(sysenter_ebp, ".code32\n movl $10, %eax\n movl $0x7fff0000, %ebp\n sysenter\n");
GUEST_CODE(syscall32, ".code32\n movl $10, %eax\n movl $0x30000, %ebx\n syscall\n 1: jmp 1b");
// Looks through all that a 47-bit pointer reaches for a page that it can read; begins at RBX.
GUEST_CODE(scan,
           TO_64_BITS() "movabsq $0x7fffffffe000, %rbx\n 1: movq (%rbx), %rax\n movq %rax, 0x30008\n hlt");

namespace ringshift {
namespace {

using Vectors = std::vector<unsigned>;
constexpr u32 kPath = 0x30000, kList = 0x31000;
constexpr u32 kBefore64 = 18;  // bytes of TO_64_BITS

std::string read_all(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<pid_t> children_of(pid_t pid) {
  std::istringstream text(read_all(fmt::format("/proc/{}/task/{}/children", pid, pid)));
  std::vector<pid_t> pids;
  for (pid_t child; text >> child;) pids.push_back(child);
  return pids;
}

class EscapeTest : public TrapFixture {
 protected:
  void SetUp() override {
    TrapFixture::SetUp();
    if (IsSkipped()) return;
    enable_paging();
    user_mode();
    path_ = fmt::format("/tmp/ringshift-escape-{}", ::getpid());
    std::ofstream(path_) << "untouched";
    std::memcpy(memory_.base() + kPath, path_.c_str(), path_.size() + 1);
  }
  void TearDown() override { std::remove(path_.c_str()); }

  ExitReason attack(const unsigned char* begin, const unsigned char* end) {
    std::memcpy(memory_.base() + kCode, begin, static_cast<std::size_t>(end - begin));
    return run();
  }
  bool untouched() const { return read_all(path_) == "untouched"; }
  // The processes that views run in.
  static std::vector<pid_t> views() {
    std::vector<pid_t> all;
    for (const pid_t nest : children_of(::getpid()))
      for (const pid_t view : children_of(nest)) all.push_back(view);
    return all;
  }
  // A #GP of the host's code selector, at whatever EIP.
  void expect_late_gp() {
    EXPECT_EQ(vectors(), Vectors{13});
    EXPECT_EQ(peek_at<u32>(state_.reg32(kEsp)), 0x30u);
    EXPECT_EQ(state_.cpl, 0);
    EXPECT_TRUE(untouched());
  }

  // Counts as vector 99h in vectors(), on a stack of its own.
  void set_sysenter_target() {
    state_.sysenter_cs = 8;
    state_.sysenter_esp = 0x7000;
    state_.sysenter_eip = kHandlers + 0x99 * 8;
  }

  std::string path_;
};

#define ATTACK(name) attack(attack_##name##_begin, attack_##name##_end)

TEST_F(EscapeTest, SystemCallsOf64BitCodeAreNotMade) {
  EXPECT_EQ(ATTACK(system_call), ExitReason::halted);
  expect_late_gp();
  EXPECT_NE(state_.reg32(kEax), 0x600du);
}

TEST_F(EscapeTest, NorThoseByInt80) {
  EXPECT_EQ(ATTACK(int80_in_64_bits), ExitReason::halted);
  expect_late_gp();
}

// The guest's kernel returns to the code after each; so all system calls are tried.
TEST_F(EscapeTest, NoneOfAllSystemCallsIsMade) {
  EXPECT_EQ(ATTACK(many_system_calls), ExitReason::halted);
  const pid_t nest = children_of(::getpid()).at(0);
  const std::size_t processes = children_of(nest).size();
  for (u32 number = 1; number < 450; ++number) {
    state_.halted = 0;
    ports_.written.clear();
    user_mode();
    state_.gpr[kEbx] = number;
    std::memcpy(memory_.base() + kCode, attack_many_system_calls_begin, kBefore64);
    // After the far jump: mov eax, ebx; mov edi, 30000h; mov esi, 30000h; syscall; hlt
    code({0x89, 0xd8, 0xbf, 0, 0, 3, 0, 0xbe, 0, 0, 3, 0, 0x0f, 5, 0xf4}, kCode + kBefore64);
    state_.rip = kCode;
    ASSERT_EQ(run(), ExitReason::halted) << number;
    ASSERT_EQ(vectors(), Vectors{13}) << number;
    ASSERT_EQ(saved_eip(true), kCode + kBefore64 + 14) << number;
    ASSERT_EQ(peek_at<u32>(kPath), *reinterpret_cast<const u32*>(path_.data())) << number;
  }
  EXPECT_TRUE(untouched());
  EXPECT_EQ(children_of(nest).size(), processes);
}

TEST_F(EscapeTest, TheStubMakesNoneForTheGuest) {
  poke<u64>(kList, SYS_unlink);
  poke<u64>(kList + 8, kPath);
  EXPECT_EQ(ATTACK(stub), ExitReason::halted);
  expect_late_gp();
}

TEST_F(EscapeTest, Int80IsTheGuests) {
  EXPECT_EQ(ATTACK(int80), ExitReason::halted);
  EXPECT_EQ(vectors(), Vectors{0x80});
  EXPECT_EQ(saved_eip(false), kCode + 12);
  EXPECT_EQ(state_.reg32(kEax), 10u);
  EXPECT_TRUE(untouched());
}

TEST_F(EscapeTest, SysenterIsTheGuests) {
  set_sysenter_target();
  EXPECT_EQ(ATTACK(sysenter), ExitReason::halted);
  EXPECT_EQ(vectors(), Vectors{0x99});
  EXPECT_EQ(state_.reg32(kEsp), 0x7000u);
  EXPECT_EQ(state_.reg32(kEax), 10u);
  EXPECT_TRUE(untouched());
}

// Linux reads an argument at EBP, and gives up where it can't: EAX is lost then on CPUs of Intel's.
TEST_F(EscapeTest, SysenterNeedsNoStack) {
  set_sysenter_target();
  EXPECT_EQ(ATTACK(sysenter_ebp), ExitReason::halted);
  EXPECT_EQ(vectors(), Vectors{0x99});
  EXPECT_EQ(state_.reg32(kEsp), 0x7000u);
  EXPECT_EQ(state_.reg32(kEbp), 0x7fff0000u);
  EXPECT_TRUE(untouched());
}

TEST_F(EscapeTest, SyscallIn32BitCodeIsUndefined) {
  EXPECT_EQ(ATTACK(syscall32), ExitReason::halted);
  EXPECT_EQ(vectors(), Vectors{6});
  EXPECT_TRUE(untouched());
}

u64 g_secret = 0x5ec2e75ec2e7;

// The attack itself works: the same code copies what is the guest's.
TEST_F(EscapeTest, ItsOwnMemoryIsThere) {
  poke<u64>(kPath, 0x32000);
  poke<u64>(0x32000, g_secret);
  poke<u64>(kPath + 8, 0);
  EXPECT_EQ(ATTACK(read_monitor), ExitReason::halted);
  EXPECT_EQ(vectors(), Vectors{13});
  EXPECT_EQ(peek_at<u64>(kPath + 8), g_secret);
}

TEST_F(EscapeTest, TheMonitorsMemoryIsNotThere) {
  poke<u64>(kPath, reinterpret_cast<u64>(&g_secret));
  poke<u64>(kPath + 8, 0);
  EXPECT_EQ(ATTACK(read_monitor), ExitReason::halted);
  EXPECT_EQ(vectors(), Vectors{13});
  EXPECT_EQ(peek_at<u64>(kPath + 8), 0u);
}

TEST_F(EscapeTest, NeitherIsAStack) {
  poke<u64>(kPath + 8, 0);
  EXPECT_EQ(ATTACK(scan), ExitReason::halted);
  EXPECT_EQ(vectors(), Vectors{13});
  EXPECT_EQ(peek_at<u64>(kPath + 8), 0u);
}

TEST_F(EscapeTest, GuestMemoryAndTheStubAreAllThereIs) {
  EXPECT_EQ(ATTACK(int80), ExitReason::halted);
  const auto all = views();
  ASSERT_FALSE(all.empty());
  for (const pid_t view : all) {
    std::istringstream maps(read_all(fmt::format("/proc/{}/maps", view)));
    for (std::string line; std::getline(maps, line);) {
      const u64 start = std::stoull(line, nullptr, 16);
      const bool of_guest = start < u64{4} << 30 && line.find("memfd:") != std::string::npos;
      const bool stub = start >= ProcessStub::kAddress &&
                        start < ProcessStub::kAddress + ProcessStub::kLength &&
                        line.find("memfd:ringshift-stub") != std::string::npos &&
                        line.find("w", line.find(' ')) > line.find("memfd");
      EXPECT_TRUE(of_guest || stub || line.find("[vsyscall]") != std::string::npos) << line;
    }
    int open = 0;
    for (int fd = 0; fd < 1024; ++fd)
      if (::access(fmt::format("/proc/{}/fd/{}", view, fd).c_str(), F_OK) == 0) ++open;
    EXPECT_EQ(open, 1);
    const std::string status = read_all(fmt::format("/proc/{}/status", view));
    EXPECT_NE(status.find("Seccomp:\t2"), std::string::npos);
    EXPECT_NE(status.find("NoNewPrivs:\t1"), std::string::npos);
  }
}

TEST_F(EscapeTest, CodeThatSpinsIn64BitModeIsStopped) {
  std::thread device([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    control_.raise_event(kEventService);
  });
  EXPECT_EQ(ATTACK(spin), ExitReason::halted);
  device.join();
  expect_late_gp();
}

TEST_F(EscapeTest, TheVsyscallPageTellsNothing) {
  poke<u64>(kPath + 8, 0);
  EXPECT_EQ(ATTACK(vsyscall), ExitReason::halted);
  EXPECT_EQ(vectors(), Vectors{13});
  EXPECT_EQ(peek_at<u64>(kPath + 8), 0u);
}

// The guest's kernel may leave 32-bit mode as well.
TEST_F(EscapeTest, KernelCodeGetsTheSame) {
  for (SegmentRegister& segment : state_.seg) segment = {0x10, 0, 0xc093, 0xffffffff, 0, 0};
  state_.segment(Seg::cs) = {0x08, 0, 0xc09b, 0xffffffff, 0, 0};
  state_.cpl = 0;
  EXPECT_EQ(ATTACK(system_call), ExitReason::halted);
  expect_late_gp();
}

TEST_F(EscapeTest, AProcessEndedFromOutsideIsReported) {
  std::thread killer([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    for (const pid_t view : views()) ::kill(view, SIGKILL);
  });
  code({0xeb, 0xfe});
  EXPECT_EQ(run(), ExitReason::failed);
  killer.join();
  EXPECT_FALSE(engine_->failure().empty());
}

TEST_F(EscapeTest, ProcessesEndWithTheEngine) {
  EXPECT_EQ(ATTACK(int80), ExitReason::halted);
  const auto all = views();
  ASSERT_FALSE(all.empty());
  engine_.reset();
  for (const pid_t view : all) EXPECT_NE(::kill(view, 0), 0);
  EXPECT_TRUE(children_of(::getpid()).empty());
}

}  // namespace
}  // namespace ringshift
