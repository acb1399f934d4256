// Tests of interrupts and IRET in real-address mode.
#include "cpu-model/transfer_test_machine.h"

namespace ringshift {
namespace {

class RealMode : public TransferTest {
 protected:
  RealMode() {
    cpu_.state.cr0 &= ~u64{kCr0Pe};
    cpu_.state.idtr = {0, 0x3ff, 0};
    for (SegmentRegister& s : cpu_.state.seg) s = {0, 0, 0x93, 0xffff, 0, 0};
    load_real_segment(cpu_, Seg::cs, 0x100);
    load_real_segment(cpu_, Seg::ss, 0x200);
    cpu_.state.rip = 0x45;
    cpu_.state.set_reg32(kEsp, 0x10);
  }
};

TEST_F(RealMode, IntAndIret) {
  put<u32>(0x10 * 4, 0xf0001234);
  cpu_.state.rflags |= kFlagIf | kFlagTf | kFlagAc | kFlagCf;
  const u32 flags = cpu_.state.eflags();
  EXPECT_TRUE(software_interrupt(cpu_, 0x10, SoftwareInterrupt::int_n));
  expect_at(0xf000, 0x1234, 0);
  EXPECT_EQ(cpu_.state.segment(Seg::cs).base, 0xf0000u);
  EXPECT_EQ(esp(), 0x0au);
  EXPECT_EQ(get<u16>(0x200a), 0x45);
  EXPECT_EQ(get<u16>(0x200c), 0x100);
  EXPECT_EQ(get<u16>(0x200e), static_cast<u16>(flags));
  EXPECT_EQ(cpu_.state.eflags(), kFlagFixed | kFlagCf);
  EXPECT_TRUE(interrupt_return(cpu_, 2));
  expect_at(0x100, 0x45, 0);
  EXPECT_EQ(esp(), 0x10u);
  EXPECT_EQ(cpu_.state.eflags(), flags & 0xffff);
}

TEST_F(RealMode, FaultsPushNoErrorCode) {
  put<u32>(13 * 4, 0x00300020);
  deliver_fault(cpu_, Fault::gp(0x55));
  expect_at(0x30, 0x20, 0);
  EXPECT_EQ(esp(), 0x0au);
  EXPECT_EQ(get<u16>(0x200e) & kFlagCf, 0);
}

TEST_F(RealMode, WideIret) {
  put<u32>(0x2010, 0x1000);
  put<u32>(0x2014, 0x300);
  put<u32>(0x2018, kFlagIf | kFlagId | kFlagVm);
  EXPECT_TRUE(interrupt_return(cpu_, 4));
  expect_at(0x300, 0x1000, 0);
  EXPECT_EQ(cpu_.state.eflags(), kFlagFixed | kFlagIf | kFlagId);
  put<u32>(0x201c, 0x10000);
  expect_fault(Fault::gp(0), [&] { return interrupt_return(cpu_, 4); });
}

TEST_F(RealMode, ShortVectorTableEndsInShutdown) {
  cpu_.state.idtr.limit = 0x10 * 4 - 1;
  put<u32>(13 * 4, 0x00300020);
  deliver_interrupt(cpu_, 0x10);
  expect_at(0x30, 0x20, 0);  // #GP
  cpu_.state.idtr.limit = 8 * 4 + 3;
  put<u32>(8 * 4, 0x00400020);
  deliver_interrupt(cpu_, 0x10);
  expect_at(0x40, 0x20, 0);  // #DF
  cpu_.state.idtr.limit = 0;
  deliver_interrupt(cpu_, 0x10);
  EXPECT_TRUE(cpu_.state.shutdown);
}

}  // namespace
}  // namespace ringshift
