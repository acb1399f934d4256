// Hostile guests under every engine: the program ends as it should, never by a crash, and its memory stays
// bounded.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/exit_status.h"
#include "machine/test_guest.h"

namespace ringshift {
namespace {

using namespace testing;

constexpr u32 kRamMiB = 16;
// Guest RAM, the code cache and the program itself, with room to spare.
constexpr long kMostMemoryKiB = 160 << 10;

struct Ending {
  int status;  // -1: killed by a signal
  long memory_kib;
};

struct EngineOptions {
  const char* name;
  std::vector<std::string> options;
};

const EngineOptions kEngines[] = {
    {"interp", {"-engine", "interp"}},
    {"soft", {"-bt-memory", "soft"}},
    {"window", {"-bt-memory", "window"}},
    {"auto", {}},
};

class HostileGuest : public ::testing::TestWithParam<EngineOptions> {
 protected:
  // The guest runs with paging off and flat segments from 100020h on.
  Ending run(const std::vector<u8>& code, std::vector<std::string> more = {}) {
    std::vector<std::string> args{RINGSHIFT_PROGRAM,
                                  "run",
                                  "-m",
                                  std::to_string(kRamMiB),
                                  "-kernel",
                                  directory_.write("kernel", multiboot_kernel(code)),
                                  "-timeout",
                                  "0.5"};
    args.insert(args.end(), GetParam().options.begin(), GetParam().options.end());
    args.insert(args.end(), more.begin(), more.end());
    std::vector<char*> argv;
    for (std::string& arg : args) argv.push_back(arg.data());
    argv.push_back(nullptr);
    const pid_t pid = ::fork();
    if (pid == 0) {
      const int null = ::open("/dev/null", O_RDWR);
      for (int fd = 0; fd < 3; ++fd) ::dup2(null, fd);
      ::execv(argv[0], argv.data());
      ::_exit(99);
    }
    int status = 0;
    rusage usage{};
    EXPECT_EQ(::wait4(pid, &status, 0, &usage), pid);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, usage.ru_maxrss};
  }
  void expect_ending(int status, const std::vector<u8>& code, std::vector<std::string> more = {}) {
    const Ending ending = run(code, std::move(more));
    EXPECT_EQ(ending.status, status);
    if (!kSanitized) {
      EXPECT_LT(ending.memory_kib, kMostMemoryKiB);
    }
  }
#ifdef __SANITIZE_ADDRESS__
  static constexpr bool kSanitized = true;
#elif defined(__has_feature)
  static constexpr bool kSanitized = __has_feature(address_sanitizer);
#else
  static constexpr bool kSanitized = false;
#endif
  TemporaryDirectory directory_;
};

INSTANTIATE_TEST_SUITE_P(Engines, HostileGuest, ::testing::ValuesIn(kEngines),
                         [](const auto& engine) { return engine.param.name; });

void append_word(std::vector<u8>& code, u32 word) { append(code, word); }

// mov eax, target; jmp eax
std::vector<u8> jump_to(u32 target) {
  std::vector<u8> code{0xb8};
  append_word(code, target);
  code.insert(code.end(), {0xff, 0xe0});
  return code;
}

std::vector<u8> out(u8 port, u8 value) { return {0xb0, value, 0xe6, port}; }

TEST_P(HostileGuest, JumpsIntoMmio) {
  // What is fetched there is no code: no handler, so a triple fault.
  for (const u32 target : {0xfee00000u, 0xfec00000u, 0xa0000u, 0xf0000000u, 0xfffffff0u}) {
    const Ending ending = run(jump_to(target));
    EXPECT_TRUE(ending.status == kExitTripleFault || ending.status == kExitTimeout)
        << std::hex << target << ": " << std::dec << ending.status;
  }
}

TEST_P(HostileGuest, RunsOffTheEndOfRam) {
  // RAM is zeros there, ADD [EAX], AL; beyond it reads as FF, which is #UD.
  expect_ending(kExitTripleFault, jump_to((kRamMiB << 20) - 64));
}

TEST_P(HostileGuest, TripleFaultsOverAndOver) {
  expect_ending(kExitTripleFault, {0x0f, 0x0b});
  // lidt of zeros at 200000h; int3
  expect_ending(kExitTripleFault, {0x0f, 0x01, 0x1d, 0x00, 0x00, 0x20, 0x00, 0xcc});
}

TEST_P(HostileGuest, FloodsTheUart) {
  // mov dx, 3f8h; loop: out dx, al; jmp loop
  const std::vector<u8> code{0x66, 0xba, 0xf8, 0x03, 0xee, 0xeb, 0xfd};
  for (const char* target : {"null", "stdio", "file:/dev/full"})
    expect_ending(kExitTimeout, code, {"-serial", target});
}

TEST_P(HostileGuest, ProgramsThePitAtItsHighestRate) {
  std::vector<u8> code;
  const auto add = [&](std::initializer_list<u8> bytes) { code.insert(code.end(), bytes); };
  const auto write = [&](u8 port, u8 value) {
    const auto bytes = out(port, value);
    code.insert(code.end(), bytes.begin(), bytes.end());
  };
  for (const auto& [port, value] : std::initializer_list<std::pair<u8, u8>>{{0x20, 0x11},
                                                                            {0x21, 0x20},
                                                                            {0x21, 0x04},
                                                                            {0x21, 0x01},
                                                                            {0x21, 0xfe},
                                                                            {0x43, 0x34},
                                                                            {0x40, 0x01},
                                                                            {0x40, 0x00}})
    write(port, value);
  // IDT at 300000h, its entry 20h an interrupt gate to the handler; IDTR's image at 310000h.
  add({0xb8});
  const std::size_t handler_at = code.size();
  add({0, 0, 0x10, 0, 0xa3, 0x00, 0x01, 0x30, 0x00});
  add({0xb8, 0x00, 0x8e, 0x10, 0x00, 0xa3, 0x04, 0x01, 0x30, 0x00});
  add({0x66, 0xc7, 0x05, 0x00, 0x00, 0x31, 0x00, 0xff, 0x07});
  add({0xc7, 0x05, 0x02, 0x00, 0x31, 0x00, 0x00, 0x00, 0x30, 0x00});
  add({0x0f, 0x01, 0x1d, 0x00, 0x00, 0x31, 0x00});
  add({0xbc, 0x00, 0x00, 0x40, 0x00, 0xfb, 0xeb, 0xfe});  // mov esp, 400000h; sti; jmp $
  const std::size_t handler = 0x20 + code.size();
  add({0xb0, 0x20, 0xe6, 0x20, 0xcf});  // EOI; iret
  code[handler_at] = static_cast<u8>(handler);
  code[handler_at + 1] = static_cast<u8>(handler >> 8);
  expect_ending(kExitTimeout, code);
}

TEST_P(HostileGuest, PointsItsPageTablesAtMmioOrNothing) {
  for (const u32 tables : {0xfee00000u, 0xfec00000u, 0xa0000u, 0xf0000000u, 0xfffff000u, kRamMiB << 20}) {
    std::vector<u8> code{
        0xb8};  // mov eax, tables; mov cr3, eax; mov eax, cr0; bts eax, 31; mov cr0, eax; jmp $
    append_word(code, tables);
    code.insert(code.end(),
                {0x0f, 0x22, 0xd8, 0x0f, 0x20, 0xc0, 0x0f, 0xba, 0xe8, 0x1f, 0x0f, 0x22, 0xc0, 0xeb, 0xfe});
    const Ending ending = run(code);
    EXPECT_TRUE(ending.status == kExitTripleFault || ending.status == kExitTimeout)
        << std::hex << tables << ": " << std::dec << ending.status;
  }
}

TEST_P(HostileGuest, WritesOverItsOwnCodeForEver) {
  // inc byte [the immediate below]; mov al, imm; jmp back
  expect_ending(kExitTimeout, {0xfe, 0x05, 0x27, 0x00, 0x10, 0x00, 0xb0, 0x00, 0xeb, 0xf6});
}

TEST_P(HostileGuest, MakesNewCodeForEver) {
  // Fills 2 MiB..10 MiB with NOP RET, one at each 64 bytes; calls all; then the same again with other bytes:
  //   again: mov edi, 200000h
  //   next:  mov [edi], ebx ; mov byte [edi], 90h; mov byte [edi+1], c3h; call edi; add edi, 64
  //          cmp edi, a00000h; jb next; inc ebx; jmp again
  expect_ending(kExitTimeout, {0xbc, 0x00, 0x00, 0xf0, 0x00,                          // mov esp, f00000h
                               0xbf, 0x00, 0x00, 0x20, 0x00,                          // again
                               0x89, 0x1f, 0xc6, 0x07, 0x90, 0xc6, 0x47, 0x01, 0xc3,  // next
                               0xff, 0xd7, 0x83, 0xc7, 0x40,                          //
                               0x81, 0xff, 0x00, 0x00, 0xa0, 0x00, 0x72, 0xea,        //
                               0x43, 0xeb, 0xe2},
                {"-bt-cache", "2M"});
}

}  // namespace
}  // namespace ringshift
