// Tests of IRET in protected mode; v8086 and real mode have their own files.
#include "cpu-model/transfer_test_machine.h"

namespace ringshift {
namespace {

class InterruptReturn : public TransferTest {
 protected:
  void frame(std::initializer_list<u32> words) {
    u32 at = esp();
    for (u32 word : words) {
      put<u32>(at, word);
      at += 4;
    }
  }
  auto iret(unsigned size = 4) {
    return [this, size] { return interrupt_return(cpu_, size); };
  }
};

constexpr u32 kEveryFlag = 0x3f7fd7 & ~kFlagVm & ~kFlagNt;

TEST_F(InterruptReturn, SameLevelTakesAllFlagsAtLevel0) {
  frame({0x4000, kCode0, kEveryFlag});
  cpu_.state.nmi_masked = 1;
  EXPECT_TRUE(interrupt_return(cpu_, 4));
  expect_at(kCode0, 0x4000, 0);
  EXPECT_EQ(esp(), kKernelStack + 12);
  EXPECT_EQ(cpu_.state.eflags(), kEveryFlag);
  EXPECT_EQ(cpu_.state.nmi_masked, 0);
  EXPECT_NE(control_.events.load() & kEventInspect, 0u);
}

TEST_F(InterruptReturn, Level3ChangesNeitherIfNorIopl) {
  at_level3();
  frame({0x4000, kCode3, kEveryFlag});
  EXPECT_TRUE(interrupt_return(cpu_, 4));
  const u32 kept = kFlagIf | kFlagIopl | kFlagVif | kFlagVip;
  EXPECT_EQ(cpu_.state.eflags(), kEveryFlag & ~kept);
  at_level3();
  cpu_.state.rflags |= kFlagIopl;
  frame({0x4000, kCode3, kFlagIf});
  EXPECT_TRUE(interrupt_return(cpu_, 4));
  EXPECT_EQ(cpu_.state.eflags(), kFlagFixed | kFlagIf | kFlagIopl);
}

TEST_F(InterruptReturn, SixteenBitKeepsUpperFlags) {
  cpu_.state.rflags |= kFlagAc | kFlagRf;
  put<u16>(esp(), 0x4000);
  put<u16>(esp() + 2, kCode0);
  put<u16>(esp() + 4, kFlagIf | kFlagCf);
  EXPECT_TRUE(interrupt_return(cpu_, 2));
  expect_at(kCode0, 0x4000, 0);
  EXPECT_EQ(esp(), kKernelStack + 6);
  EXPECT_EQ(cpu_.state.eflags(), kFlagFixed | kFlagIf | kFlagCf | kFlagAc | kFlagRf);
}

TEST_F(InterruptReturn, OuterLevelDropsSegments) {
  cpu_.state.segment(Seg::es) = segment_from(kData3, descriptor(kData3));
  frame({0x4000, kCode3, kFlagIf, 0x7ff0, kData3});
  EXPECT_TRUE(interrupt_return(cpu_, 4));
  expect_at(kCode3, 0x4000, 3);
  EXPECT_EQ(selector(Seg::ss), kData3);
  EXPECT_EQ(esp(), 0x7ff0u);
  EXPECT_EQ(cpu_.state.eflags(), kFlagFixed | kFlagIf);
  EXPECT_EQ(selector(Seg::es), kData3);
  for (Seg s : {Seg::ds, Seg::fs, Seg::gs}) EXPECT_FALSE(cpu_.state.segment(s).usable());
}

TEST_F(InterruptReturn, OuterSixteenBitStackKeepsUpperHalf) {
  put_descriptor(kGdt, kData3, 0, 0xffff, 0xf3, 0);
  frame({0x4000, kCode3, 0, 0x12347ff0, kData3});
  EXPECT_TRUE(interrupt_return(cpu_, 4));
  EXPECT_EQ(esp(), (kKernelStack & 0xffff0000) | 0x7ff0);
}

TEST_F(InterruptReturn, Checks) {
  frame({0x4000, 0, 0});
  expect_fault(Fault::gp(0), iret());
  frame({0x4000, kData0, 0});
  expect_fault(Fault::gp(kData0), iret());
  frame({0x4000, kAbsent, 0});
  expect_fault(Fault::np(kAbsent), iret());
  frame({0x4000, kCode3, 0, 0x7000, 0});
  expect_fault(Fault::gp(0), iret());
  frame({0x4000, kCode3, 0, 0x7000, kData0});
  expect_fault(Fault::gp(kData0), iret());
  frame({0x10000, kCode16, 0});
  expect_fault(Fault::gp(0), iret());
  cpu_.state.segment(Seg::ss).limit = kKernelStack + 10;
  expect_fault(Fault::ss(0), iret());
  at_level3();
  frame({0x4000, kCode0, 0});
  expect_fault(Fault::gp(kCode0), iret());
  // VM in the image counts at level 0 only.
  frame({0x4000, kCode3, kFlagVm});
  EXPECT_TRUE(interrupt_return(cpu_, 4));
  EXPECT_EQ(cpu_.state.eflags(), kFlagFixed);
}

}  // namespace
}  // namespace ringshift
