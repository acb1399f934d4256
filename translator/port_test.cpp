// IN and OUT in translated code: values, sizes, registers, and who may.
#include <fmt/format.h>

#include "translator/bt_fixture.h"

namespace ringshift::bt {
namespace {

using namespace asmjit::x86;  // NOLINT: register names

class PortIo final : public LineIo {
 public:
  using LineIo::LineIo;
  u32 port_in(u16 port, unsigned size) override {
    log += fmt::format("in {:x}.{} ", port, size);
    return 0x89abcdef;  // more than was asked for
  }
  void port_out(u16 port, unsigned size, u32 value) override {
    log += fmt::format("out {:x}.{}={:x} ", port, size, value);
    if (port == kInterrupt) control_.raise_event(kEventInterrupt);
  }
  static constexpr u16 kInterrupt = 0xf0;
  std::string log;
};

class Ports : public BothMemories {
 protected:
  void run_ports() {
    ASSERT_EQ(engine_->run(io_), ExitReason::halted);
    cpu_.state.halted = 0;
  }
  PortIo io_{control_};
};
INSTANTIATE_TEST_SUITE_P(Bt, Ports, kEachWay, way_name);

TEST_P(Ports, EachSizeByImmediateAndByDx) {
  assemble(kCode, [](Asm& as) {
    as.mov(eax, 0x11223344);
    as.mov(edx, 0xffff1234);
    as.stc();
    as.out(0x80, al);
    as.out(0x81, ax);
    as.out(0x82, eax);
    as.out(dx, al);
    as.out(dx, ax);
    as.out(dx, eax);
    as.in(al, 0x60);
    as.mov(ebx, eax);
    as.in(ax, dx);
    as.mov(esi, eax);
    as.in(eax, dx);
    as.setc(cl);
    as.hlt();
  });
  cpu_.state.set_reg32(kEcx, 0);
  run_ports();
  EXPECT_EQ(io_.log,
            "out 80.1=44 out 81.2=3344 out 82.4=11223344 out 1234.1=44 out 1234.2=3344 out 1234.4=11223344 "
            "in 60.1 in 1234.2 in 1234.4 ");
  EXPECT_EQ(reg(kEbx), 0x112233efu);
  EXPECT_EQ(reg(kEsi), 0x1122cdefu);
  EXPECT_EQ(reg(kEax), 0x89abcdefu);
  EXPECT_EQ(reg(kEcx), 1u) << "flags stay";
  EXPECT_EQ(count("exits: port access"), 9u);
}

// What an OUT raises is delivered before the next instruction.
TEST_P(Ports, InterruptBehindAnOut) {
  assemble(kCode, [](Asm& as) {
    as.sti();
    as.nop();
    as.out(PortIo::kInterrupt, al);
    as.inc(ebx);
    as.hlt();
  });
  run_ports();
  EXPECT_EQ(reg(kEbx), 0u);
  EXPECT_EQ(vector(), LineIo::kVector);
}

// CPL 3 with IOPL 0 and a TSS whose map allows port 9 alone; then IOPL 3.
TEST_P(Ports, UserCodeByTheMapOrByIopl) {
  constexpr u32 kTss = kData, kMap = 0x68;
  poke<u64>(kGdt + 24, 0x00cffb000000ffff);
  poke<u64>(kGdt + 32, 0x00cff3000000ffff);
  cpu_.state.gdtr.limit = 0x27;
  cpu_.state.tr = {0x28, 0, 0x8b, 0xfff, 0, kTss};
  poke<u32>(kTss + 4, kStackTop);
  poke<u32>(kTss + 8, 0x10);
  poke<u16>(kTss + 0x66, kMap);
  for (u32 at = kMap; at < 0x1000; ++at) poke<u8>(kTss + at, 0xff);
  poke<u8>(kTss + kMap + 1, 0xfd);
  assemble(kCode, [](Asm& as) {
    as.in(al, 9);
    as.in(al, 10);
    as.hlt();
  });
  for (const u32 iopl : {0u, u32{kFlagIopl}}) {
    io_.log.clear();
    auto& state = cpu_.state;
    state.cpl = 3;
    state.segment(Seg::cs) = {0x1b, 0, 0xc0fb, 0xffffffff, 0, 0};
    state.segment(Seg::ss) = {0x23, 0, 0xc0f3, 0xffffffff, 0, 0};
    state.rflags = kFlagFixed | iopl;
    state.set_reg32(kEsp, kStackTop - 0x100);
    state.rip = kCode;
    run_ports();
    EXPECT_EQ(vector(), 13u);
    const u32 eip = peek_at<u32>(cpu_.state.reg32(kEsp) + 4);
    EXPECT_EQ(io_.log, iopl == 0 ? "in 9.1 " : "in 9.1 in a.1 ");
    EXPECT_EQ(eip, iopl == 0 ? kCode + 2 : kCode + 4) << "IN 10, or HLT";
  }
}

}  // namespace
}  // namespace ringshift::bt
