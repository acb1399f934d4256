// Whole machines with tiny guests: output, the ways out, reset, time, two machines in one process.
#include "machine/machine.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "machine/host_memory.h"
#include "machine/monitor.h"
#include "machine/stats_report.h"
#include "machine/test_guest.h"

namespace ringshift {
namespace {

using namespace testing;
using Kind = RunOutcome::Kind;

// mov dx, port; mov eax, value; out dx, ax
std::vector<u8> out16(u16 port, u16 value) {
  return {0x66,
          0xba,
          static_cast<u8>(port),
          static_cast<u8>(port >> 8),
          0xb8,
          static_cast<u8>(value),
          static_cast<u8>(value >> 8),
          0,
          0,
          0x66,
          0xef};
}

std::vector<u8> operator+(std::vector<u8> left, const std::vector<u8>& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

const std::vector<u8> kSpin{0xeb, 0xfe};
const std::vector<u8> kHalt{0xfa, 0xf4, 0xeb, 0xfd};  // cli; hlt; jmp back

class MachineTest : public ::testing::Test {
 protected:
  TestMachine make(const std::vector<u8>& code, MachineConfig config = {}) {
    return TestMachine(directory_.write("kernel", multiboot_kernel(code)), config);
  }
  TemporaryDirectory directory_;
};

TEST_F(MachineTest, GuestPrintsAndExits) {
  TestMachine guest = make(then_exit(print_code("hello"), 21));
  ASSERT_NE(guest.machine, nullptr) << guest.error;
  const RunOutcome outcome = guest.machine->run();
  EXPECT_EQ(outcome.kind, Kind::guest_exit);
  EXPECT_EQ(outcome.status, 43);
  EXPECT_EQ(*guest.debug, "hello");
}

TEST_F(MachineTest, SerialOutputIsComplete) {
  std::vector<u8> code{0x66, 0xba, 0xf8, 0x03};  // mov dx, 3f8h
  for (const char c : std::string("serial")) code = code + std::vector<u8>{0xb0, static_cast<u8>(c), 0xee};
  TestMachine guest = make(then_exit(code, 0));
  ASSERT_NE(guest.machine, nullptr) << guest.error;
  EXPECT_EQ(guest.machine->run().status, 1);
  EXPECT_EQ(*guest.serial, "serial");
}

TEST_F(MachineTest, MultibootEntryState) {
  // cmp eax, 2BADB002h; jne fail; test dword [ebx], 1 (memory sizes); jz fail; mov al, 1; jmp out; fail: mov
  // al, 2; out: out 0f4h, al
  TestMachine guest = make({0x3d, 0x02, 0xb0, 0xad, 0x2b, 0x75, 0x0c, 0xf7, 0x03, 0x01, 0x00, 0x00, 0x00,
                            0x74, 0x04, 0xb0, 0x01, 0xeb, 0x02, 0xb0, 0x02, 0xe6, 0xf4, 0xeb, 0xfe});
  ASSERT_NE(guest.machine, nullptr) << guest.error;
  EXPECT_EQ(guest.machine->run().status, 3);
}

TEST_F(MachineTest, AcpiPowerOff) {
  constexpr u16 kSleepS5 = (1u << 13) | (AcpiPm::kS5SleepType << 10);
  TestMachine guest = make(out16(0x604, kSleepS5) + kHalt);
  ASSERT_NE(guest.machine, nullptr) << guest.error;
  EXPECT_EQ(guest.machine->run().kind, Kind::power_off);
}

TEST_F(MachineTest, KeyboardControllerResetUnderNoReboot) {
  MachineConfig config;
  config.no_reboot = true;
  TestMachine guest = make({0xb0, 0xfe, 0xe6, 0x64, 0xeb, 0xfe}, config);
  ASSERT_NE(guest.machine, nullptr) << guest.error;
  EXPECT_EQ(guest.machine->run().kind, Kind::reset);
}

TEST_F(MachineTest, RebootLoadsTheKernelAnewIntoZeroedMemory) {
  // A byte in CMOS (index 60h) survives a reset: the first run sets it, scribbles and resets, the second
  // finds it and exits with what stands at the scribbled address.
  const std::vector<u8> code = {
      0xb0, 0x60, 0xe6, 0x70, 0xe4, 0x71,                    // in cmos[60h]
      0x3c, 0x5a, 0x74, 0x16,                                // cmp al, 5ah; je second
      0xb0, 0x5a, 0xe6, 0x71,                                // cmos[60h] = 5ah
      0xc6, 0x05, 0x00, 0x00, 0x20, 0x00, 0x07,              // mov byte [200000h], 7
      0xb0, 0x31, 0xe6, 0xe9,                                // print '1'
      0xb0, 0xfe, 0xe6, 0x64, 0xeb, 0xfe, 0x90,              // reset; loop
      0xb0, 0x32, 0xe6, 0xe9,                                // second: print '2'
      0xa0, 0x00, 0x00, 0x20, 0x00, 0xe6, 0xf4, 0xeb, 0xfe,  // exit with [200000h]
  };
  TestMachine guest = make(code);
  ASSERT_NE(guest.machine, nullptr) << guest.error;
  const RunOutcome outcome = guest.machine->run();
  EXPECT_EQ(outcome.kind, Kind::guest_exit);
  EXPECT_EQ(outcome.status, 1);
  EXPECT_EQ(*guest.debug, "12");
}

TEST_F(MachineTest, TripleFaultIsDescribed) {
  TestMachine guest = make({0x0f, 0x0b});  // ud2, with an empty IDT
  ASSERT_NE(guest.machine, nullptr) << guest.error;
  const RunOutcome outcome = guest.machine->run();
  EXPECT_EQ(outcome.kind, Kind::triple_fault);
  EXPECT_FALSE(outcome.message.empty());
}

TEST_F(MachineTest, StopsFromAnotherThread) {
  for (const auto& code : {kSpin, kHalt}) {
    TestMachine guest = make(code);
    ASSERT_NE(guest.machine, nullptr) << guest.error;
    std::thread stopper([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(30));
      guest.machine->request_stop();
    });
    EXPECT_EQ(guest.machine->run().kind, Kind::stopped);
    stopper.join();
  }
}

TEST_F(MachineTest, PostedWorkReachesAHaltedMachine) {
  TestMachine guest = make(kHalt);
  ASSERT_NE(guest.machine, nullptr) << guest.error;
  std::string registers;
  std::thread other([&] {
    guest.machine->post_between_runs([&] { registers = monitor_command(*guest.machine, "info registers"); });
    guest.machine->post_between_runs([&] { monitor_command(*guest.machine, "quit"); });
  });
  EXPECT_EQ(guest.machine->run().kind, Kind::stopped);
  other.join();
  EXPECT_FALSE(registers.empty());
}

// Programs the PIC (vectors from 20h) and the PIT (100 Hz), halts until three ticks have come, and exits.
std::vector<u8> tick_guest() {
  std::vector<u8> code;
  const auto out = [&](u8 port, u8 value) { code = code + std::vector<u8>{0xb0, value, 0xe6, port}; };
  for (const auto& [port, value] : std::initializer_list<std::pair<u8, u8>>{{0x20, 0x11},
                                                                            {0x21, 0x20},
                                                                            {0x21, 0x04},
                                                                            {0x21, 0x01},
                                                                            {0x21, 0xfe},
                                                                            {0xa1, 0xff},
                                                                            {0x43, 0x34},
                                                                            {0x40, 0x9c},
                                                                            {0x40, 0x2e}})
    out(port, value);
  // The IDT at 300000h: entry 20h is an interrupt gate to `handler`, whose address is put in below.
  code = code + std::vector<u8>{0xb8};  // mov eax, 00100000h | low(handler), patched
  const std::size_t low_at = code.size();
  code = code + std::vector<u8>{0, 0, 0x10, 0};
  code = code + std::vector<u8>{0xa3, 0x00, 0x01, 0x30, 0x00};                          // mov [300100h], eax
  code = code + std::vector<u8>{0xb8, 0x00, 0x8e, 0x10, 0x00};                          // mov eax, 00108e00h
  code = code + std::vector<u8>{0xa3, 0x04, 0x01, 0x30, 0x00};                          // mov [300104h], eax
  code = code + std::vector<u8>{0x66, 0xc7, 0x05, 0x00, 0x00, 0x31, 0x00, 0xff, 0x07};  // limit
  code = code + std::vector<u8>{0xc7, 0x05, 0x02, 0x00, 0x31, 0x00, 0x00, 0x00, 0x30, 0x00};  // base
  code = code + std::vector<u8>{0x0f, 0x01, 0x1d, 0x00, 0x00, 0x31, 0x00};  // lidt [310000h]
  code = code + std::vector<u8>{0x31, 0xc9, 0xfb};                          // xor ecx, ecx; sti
  code = code + std::vector<u8>{0xf4, 0x83, 0xf9, 0x03, 0x72, 0xfa};        // hlt; cmp ecx, 3; jb hlt
  code = then_exit(code, 3);
  const u32 handler = static_cast<u32>(0x20 + code.size());
  code = code + std::vector<u8>{0x41, 0xb0, 0x20, 0xe6, 0x20, 0xcf};  // inc ecx; eoi; iret
  code[low_at] = static_cast<u8>(handler);
  code[low_at + 1] = static_cast<u8>(handler >> 8);
  return code;
}

TEST_F(MachineTest, TimerWakesAHaltedGuest) {
  TestMachine guest = make(tick_guest());
  ASSERT_NE(guest.machine, nullptr) << guest.error;
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(guest.machine->run().status, 7);
  const auto taken = std::chrono::steady_clock::now() - start;
  EXPECT_GE(taken, std::chrono::milliseconds(15));  // two whole periods at least, less a bit
  EXPECT_LT(taken, std::chrono::seconds(5));
}

TEST_F(MachineTest, VirtualTimeRepeatsExactly) {
  MachineConfig config;
  config.icount_shift = 3;
  u64 retired[2];
  u64 guest_ns[2];
  for (int i = 0; i < 2; ++i) {
    TestMachine guest = make(tick_guest(), config);
    ASSERT_NE(guest.machine, nullptr) << guest.error;
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(guest.machine->run().status, 7);
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
    retired[i] = guest.machine->cpu().control.retired;
    guest_ns[i] = guest.machine->cpu().io == nullptr ? 0 : guest.machine->cpu().io->read_tsc();
  }
  EXPECT_EQ(retired[0], retired[1]);
  EXPECT_EQ(guest_ns[0], guest_ns[1]);
}

TEST_F(MachineTest, TwoMachinesInOneProcess) {
  const auto spin = std::vector<u8>{0xb9, 0x00, 0x00, 0x02, 0x00, 0xe2, 0xfe};  // mov ecx, 20000h; loop
  TestMachine one(directory_.write("one", multiboot_kernel(then_exit(spin + print_code("one"), 1))));
  TestMachine two(directory_.write("two", multiboot_kernel(then_exit(spin + print_code("two"), 2))));
  ASSERT_NE(one.machine, nullptr) << one.error;
  ASSERT_NE(two.machine, nullptr) << two.error;
  int status = 0;
  std::thread other([&] { status = two.machine->run().status; });
  EXPECT_EQ(one.machine->run().status, 3);
  other.join();
  EXPECT_EQ(status, 5);
  EXPECT_EQ(*one.debug, "one");
  EXPECT_EQ(*two.debug, "two");
}

TEST_F(MachineTest, ReportsCounters) {
  TestMachine guest = make(then_exit(print_code("abc"), 0));
  ASSERT_NE(guest.machine, nullptr) << guest.error;
  guest.machine->run();
  StatsReport report;
  guest.machine->report(report);
  EXPECT_NE(report.text().find("debugcon"), std::string::npos);
  EXPECT_NE(report.json().find("\"instructions retired\": "), std::string::npos);
}

TEST_F(MachineTest, PortsOfDebugExitMayNotOverlap) {
  MachineConfig config;
  config.debug_exit = DebugExitConfig{0x3f8, 4};
  const TestMachine guest = make(kHalt, config);
  EXPECT_EQ(guest.machine, nullptr);
  EXPECT_FALSE(guest.error.empty());
}

TEST(HostMemory, MoreThanTheHostHasIsAUsageError) {
  EXPECT_TRUE(check_host_memory(u64{1} << 20));
  const auto refused = check_host_memory(u64{1} << 50);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::usage);
  EXPECT_NE(refused.error().message.find("smaller -m"), std::string::npos);
}

TEST_F(MachineTest, UnknownCpuIsAnError) {
  MachineConfig config;
  config.cpu_model = "z80";
  const TestMachine guest = make(kHalt, config);
  EXPECT_EQ(guest.machine, nullptr);
  EXPECT_NE(guest.error.find("n270"), std::string::npos) << guest.error;
}

// Writes to guest memory where nobody sees it, as a mistranslated store would.
class PokingBackend final : public CharBackend {
 public:
  explicit PokingBackend(std::unique_ptr<Machine>& machine) : machine_(machine) {}
  void write(std::span<const u8>) override { machine_->memory().base()[0x654321] ^= 0x5a; }

 private:
  std::unique_ptr<Machine>& machine_;
};

TEST_F(MachineTest, WhatVerifyFindsIsAnInternalFailure) {
  for (const bool poke : {false, true}) {
    MachineConfig config;
    config.ram_bytes = u64{16} << 20;
    config.bt_verify = true;
    config.debug_exit = DebugExitConfig{0xf4, 4};
    config.boot.kernel = directory_.write("kernel", multiboot_kernel(then_exit(print_code("x"), 21)));
    std::unique_ptr<Machine> machine;
    std::unique_ptr<CharBackend> console = std::make_unique<NullBackend>();
    if (poke) console = std::make_unique<PokingBackend>(machine);
    machine =
        Machine::create(config, {std::make_unique<NullBackend>(), std::move(console)}, Tracer{}).value();
    const RunOutcome outcome = machine->run();
    if (!poke) {
      EXPECT_EQ(outcome.kind, Kind::guest_exit);
      continue;
    }
    ASSERT_EQ(outcome.kind, Kind::failed);
    EXPECT_EQ(outcome.error->kind, ErrorKind::internal);
    EXPECT_NE(outcome.error->message.find("memory at gpa 00654321: 5a / 00"), std::string::npos)
        << outcome.error->message;
  }
}

}  // namespace
}  // namespace ringshift
