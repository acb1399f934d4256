// Counting by steps, against the interpreter: the state after each instruction (in real mode, which a
// software KVM runs too).
#include <gtest/gtest.h>

#include "cpu-model/cpu_fixture.h"
#include "cpu-model/interp/interpreter.h"
#include "cpu-model/vcpu_dump.h"
#include "hw-accel-kvm/kvm_engine.h"

namespace ringshift {
namespace {

constexpr u32 kCode = 0x1000, kStack = 0x8000;

// Leaves when so many instructions have retired.
class StoppingIo final : public PortIo {
 public:
  void service(u32) override { control->raise_event(kEventExit); }
};

class Side {
 public:
  explicit Side(const std::vector<u8>& code) {
    std::memcpy(memory.base() + kCode, code.data(), code.size());
    io.control = &control;
    control.exact_count = true;
    reset_vcpu(cpu.state, cpuid.signature());
    cpu.state.segment(Seg::cs).selector = 0;
    cpu.state.segment(Seg::cs).base = 0;
    cpu.state.rip = kCode;
    cpu.state.gpr[kEsp] = kStack;
  }
  ExitReason run_to(ExecutionEngine& engine, u64 count) {
    control.deadline = count;
    return engine.run(io);
  }
  GuestMemory memory = GuestMemory::create(u64{16} << 20).value();
  PhysicalMap phys{memory};
  CpuidTable cpuid = CpuidTable::create("n270").value();
  RunControl control;
  Tracer tracer;
  Cpu cpu{phys, cpuid, control, tracer};
  StoppingIo io;
};

// Both run the code to each count, until it halts; how many instructions that was. 0: skipped.
u64 compare(const std::vector<u8>& code) {
  Side left(code), right(code);
  Interpreter interp(left.cpu);
  auto kvm = KvmEngine::create(right.cpu, {.tsc_khz = 2'000'000, .count_instructions = true});
  if (!kvm) return 0;
  EXPECT_TRUE((*kvm)->capabilities().virtual_time);
  for (u64 count = 1;; ++count) {
    const ExitReason reason = left.run_to(interp, count);
    EXPECT_EQ(right.run_to(**kvm, count), reason) << (*kvm)->failure();
    EXPECT_EQ(left.control.retired, right.control.retired) << "to " << count;
    EXPECT_EQ(diff_vcpu(left.cpu.state, right.cpu.state), "") << "to " << count;
    EXPECT_EQ(left.io.written, right.io.written);
    if (::testing::Test::HasFailure() || reason != ExitReason::requested) break;
  }
  EXPECT_EQ(std::memcmp(left.memory.base(), right.memory.base(), 0x10000), 0);
  return left.control.retired;
}

TEST(CountedRun, EachInstructionOnce) {
  const u64 count = compare({0xb9, 0x05, 0x00,  // mov cx, 5
                             0xbf, 0x00, 0x30,  // mov di, 3000h
                             0xb0, 0x5a,        // mov al, 5ah
                             0xf3, 0xaa,        // rep stosb
                             0x9c,              // pushf
                             0x5b,              // pop bx
                             0xfb,              // sti
                             0x90,              // nop
                             0xfa,              // cli
                             0xe5, 0x42,        // in ax, 42h
                             0xe7, 0x43,        // out 43h, ax
                             0x0f, 0x31,        // rdtsc
                             0x31, 0xc0,        // xor ax, ax
                             0x8e, 0xd0,        // mov ss, ax
                             0xbc, 0x00, 0x80,  // mov sp, 8000h
                             0x53,              // push bx
                             0x9d,              // popf
                             0xe8, 0x01, 0x00,  // call to the RET
                             0xf4,              // hlt
                             0xc3});            // ret
  if (count == 0) GTEST_SKIP() << "no KVM here";
  EXPECT_EQ(count, 20u);
}

}  // namespace
}  // namespace ringshift
