// InterpFixture: for tests, runs snippets of machine code on the interpreter in flat protected or real mode.
//
// Code is at 1000, the stack ends at 8000, data at 5000. Exceptions of vector v enter a HLT at 3000 + 16 v.
#pragma once

#include <initializer_list>
#include <vector>

#include "cpu-model/cpu_fixture.h"
#include "cpu-model/empty_board.h"
#include "cpu-model/interp/interpreter.h"

namespace ringshift {

class TestIo final : public EmptyBoard {
 public:
  explicit TestIo(RunControl& control) : control_(control) {}
  struct PortWrite {
    u16 port;
    unsigned size;
    u32 value;
    bool operator==(const PortWrite&) const = default;
  };
  std::vector<PortWrite> writes;
  u32 port_value = 0x11223344;
  int vector = -1;  // of the interrupt that is asserted
  unsigned serviced = 0;

  u32 port_in(u16, unsigned) override { return port_value; }
  void port_out(u16 port, unsigned size, u32 value) override { writes.push_back({port, size, value}); }
  int acknowledge_interrupt() override {
    control_.clear_event(kEventInterrupt);
    return vector;
  }
  u64 read_tsc() override { return 42; }
  void service(u32) override { ++serviced; }

 private:
  RunControl& control_;
};

class InterpFixture : public CpuFixture {
 protected:
  static constexpr u32 kCode = 0x1000;
  static constexpr u32 kIdt = 0x2000;
  static constexpr u32 kGdt = 0x2800;
  static constexpr u32 kData = 0x5000;
  static constexpr u32 kStack = 0x8000;

  TestIo test_io_{control_};
  Interpreter interp_{cpu_};

  static constexpr u32 handler_of(unsigned vector) { return 0x3000 + vector * 16; }

  InterpFixture() {
    for (unsigned vector = 0; vector < 256; ++vector) {
      poke<u32>(kIdt + vector * 8, 0x00080000 | handler_of(vector));
      poke<u32>(kIdt + vector * 8 + 4, 0x0000ee00);
      poke<u8>(handler_of(vector), 0xf4);
    }
    poke<u64>(kGdt, 0);
    poke<u64>(kGdt + 0x08, 0x00cf9b000000ffff);
    poke<u64>(kGdt + 0x10, 0x00cf93000000ffff);
    enter_flat_mode();
    cpu_.state.idtr = {kIdt, 0x7ff, 0};
    cpu_.state.gdtr = {kGdt, 0x17, 0};
    cpu_.state.rflags = kFlagFixed;
    cpu_.state.set_reg32(kEsp, kStack);
    cpu_.state.rip = kCode;
    cpu_.io = &test_io_;
  }

  void enter_real_mode() {
    reset_vcpu(cpu_.state, cpuid_.signature());
    for (SegmentRegister& segment : cpu_.state.seg) segment.selector = 0, segment.base = 0;
    cpu_.state.set_reg32(kEsp, kStack);
    cpu_.state.rip = kCode;
  }
  void put_code(std::initializer_list<u8> code, u32 at = kCode) {
    ASSERT_TRUE(phys_.write(at, code.begin(), code.size()));
  }
  // Runs the code until it halts (every handler does).
  void run(std::initializer_list<u8> code) {
    put_code(code);
    EXPECT_EQ(interp_.run(test_io_), ExitReason::halted);
    cpu_.io = &test_io_;
  }
  void steps(unsigned count) {
    while (count-- > 0) interp_.step(true);
  }
  // Whether the CPU halted in the handler of this vector.
  bool in_handler(unsigned vector) const { return cpu_.state.eip() == handler_of(vector) + 1; }
  u32 reg(Gpr r) const { return cpu_.state.reg32(r); }
  u32 data(u32 offset = 0) { return peek_at<u32>(kData + offset); }
  u32 stack(u32 offset = 0) { return peek_at<u32>(reg(kEsp) + offset); }
  bool has_flag(u32 mask) const { return (cpu_.state.rflags & mask) != 0; }
};

}  // namespace ringshift
