// Tests of v8086 mode: interrupts out of it and returns to it, IOPL, VME's redirection.
#include "cpu-model/transfer_test_machine.h"

namespace ringshift {
namespace {

using V86 = TransferTest;

constexpr u32 kEntryStack = 0x130 * 16 + 0x800;  // SS is the third selector

TEST_F(V86, EntryAndExit) {
  put<u32>(esp() + 0, 0x45);
  const u32 words[] = {0x45,  0x120, kFlagVm | kFlagIf | kFlagNt, 0xabcd0800, 0x130, 0x110, 0x140,
                       0x150, 0x160};
  for (unsigned i = 0; i < 9; ++i) put<u32>(esp() + 4 * i, words[i]);
  EXPECT_TRUE(interrupt_return(cpu_, 4));
  expect_at(0x120, 0x45, 3);
  EXPECT_TRUE(cpu_.v86());
  EXPECT_EQ(esp(), 0xabcd0800u);
  EXPECT_EQ(cpu_.state.eflags(), kFlagFixed | kFlagVm | kFlagIf | kFlagNt);
  const u16 selectors[] = {0x110, 0x120, 0x130, 0x140, 0x150, 0x160};
  for (unsigned i = 0; i < kSegCount; ++i)
    EXPECT_EQ(cpu_.state.seg[i], (SegmentRegister{selectors[i], 0, 0xf3, 0xffff, 0, selectors[i] * 16u}))
        << i;

  put_idt(13, kCode0, 0x5000, 0x8e);
  deliver_fault(cpu_, Fault::gp(0));
  expect_at(kCode0, 0x5000, 0);
  EXPECT_FALSE(cpu_.v86());
  EXPECT_EQ(esp(), kInnerStack - 40);
  EXPECT_EQ(stacked(0), 0u);
  for (unsigned i = 0; i < 9; ++i)
    EXPECT_EQ(stacked(i + 1), i == 2 ? words[2] | kFlagFixed | kFlagRf : words[i]) << i;
  for (Seg s : {Seg::ds, Seg::es, Seg::fs, Seg::gs}) {
    EXPECT_EQ(selector(s), 0);
    EXPECT_FALSE(cpu_.state.segment(s).usable());
  }
}

TEST_F(V86, HandlerMustBeLevel0) {
  put_idt(0x21, kCode1, 0x5000, 0xee);
  at_v86(3);
  const auto int21 = [&] { return software_interrupt(cpu_, 0x21, SoftwareInterrupt::int_n); };
  expect_fault(Fault::gp(kCode1), int21);
  put_idt(0x21, kConforming, 0x5000, 0xee);
  expect_fault(Fault::gp(kConforming), int21);
}

TEST_F(V86, IntNeedsIopl3WithoutVme) {
  put_idt(0x21, kCode0, 0x5000, 0xee);
  put_idt(3, kCode0, 0x6000, 0xee);
  at_v86(2);
  expect_fault(Fault::gp(0), [&] { return software_interrupt(cpu_, 0x21, SoftwareInterrupt::int_n); });
  EXPECT_TRUE(software_interrupt(cpu_, 3, SoftwareInterrupt::int3));
  expect_at(kCode0, 0x6000, 0);
  at_v86(3);
  EXPECT_TRUE(software_interrupt(cpu_, 0x21, SoftwareInterrupt::int_n));
  expect_at(kCode0, 0x5000, 0);
}

TEST_F(V86, VmeRedirectsByBitmap) {
  cpu_.state.cr4 |= kCr4Vme;
  put<u32>(0x21 * 4, 0x02220111);
  at_v86(0);
  cpu_.state.rflags |= kFlagVif;
  EXPECT_TRUE(software_interrupt(cpu_, 0x21, SoftwareInterrupt::int_n));
  EXPECT_TRUE(cpu_.v86());
  expect_at(0x222, 0x111, 3);
  EXPECT_EQ(esp(), 0x800u - 6);
  EXPECT_EQ(get<u16>(kEntryStack - 6), 0x45);
  EXPECT_EQ(get<u16>(kEntryStack - 4), 0x120);
  EXPECT_EQ(get<u16>(kEntryStack - 2), kFlagFixed | kFlagIf | kFlagIopl);
  EXPECT_EQ(cpu_.state.eflags(), kFlagFixed | kFlagVm | kFlagIf);
  // And back, IF's image becoming VIF.
  EXPECT_TRUE(interrupt_return(cpu_, 2));
  expect_at(0x120, 0x45, 3);
  EXPECT_EQ(cpu_.state.eflags(), kFlagFixed | kFlagVm | kFlagIf | kFlagVif);
  // Bit set: not redirected.
  put<u8>(kTss + 0x68 + 0x21 / 8, 1 << (0x21 % 8));
  expect_fault(Fault::gp(0), [&] { return software_interrupt(cpu_, 0x21, SoftwareInterrupt::int_n); });
}

TEST_F(V86, InterruptReturnByIopl) {
  at_v86(0);
  const auto iret = [&] { return interrupt_return(cpu_, 2); };
  expect_fault(Fault::gp(0), iret);
  cpu_.state.cr4 |= kCr4Vme;
  put<u16>(kEntryStack, 0x99);
  put<u16>(kEntryStack + 2, 0x77);
  put<u16>(kEntryStack + 4, kFlagTf);
  expect_fault(Fault::gp(0), iret);
  expect_fault(Fault::gp(0), [&] { return interrupt_return(cpu_, 4); });
  put<u16>(kEntryStack + 4, kFlagIf);
  cpu_.state.rflags |= kFlagVip;
  expect_fault(Fault::gp(0), iret);
  at_v86(3);
  put<u16>(kEntryStack + 4, kFlagCf);
  EXPECT_TRUE(iret());
  expect_at(0x77, 0x99, 3);
  EXPECT_EQ(cpu_.state.eflags(), kFlagFixed | kFlagVm | kFlagIopl | kFlagCf);
}

}  // namespace
}  // namespace ringshift
