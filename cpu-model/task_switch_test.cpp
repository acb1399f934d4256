// Tests of task switches: JMP, CALL, IRET and gates, both sizes of TSS, busy and NT bits, late faults.
#include "cpu-model/transfer_test_machine.h"

namespace ringshift {
namespace {

class TaskSwitch : public TransferTest {
 protected:
  TaskSwitch() {
    put<u32>(kTss2 + 0x20, 0x7000);
    put<u32>(kTss2 + 0x24, kFlagFixed | kFlagIf);
    for (unsigned i = 0; i < 8; ++i) put<u32>(kTss2 + 0x28 + 4 * i, 0x10000 * i + 0xc000);
    const u16 selectors[] = {kData0, kCode0, kData0, kData0, 0, kData0};
    for (unsigned i = 0; i < kSegCount; ++i) put<u16>(kTss2 + 0x48 + 4 * i, selectors[i]);
    cpu_.state.set_reg32(kEax, 0x87654321);
    cpu_.state.rflags |= kFlagCf;
  }
  bool busy(u16 selector) const { return (get<u8>(kGdt + selector + 5) & 2) != 0; }
  u32 link(u32 tss) const { return get<u16>(tss); }
};

TEST_F(TaskSwitch, JumpClearsBusyAndDoesNotNest) {
  cpu_.state.dr[7] = 0x7ff;
  EXPECT_TRUE(far_jump(cpu_, kTss2Sel, 0, 4));
  expect_at(kCode0, 0x7000, 0);
  EXPECT_EQ(cpu_.state.tr.selector, kTss2Sel);
  EXPECT_EQ(cpu_.state.tr.attributes & kSegTypeMask, kTypeTss32Busy);
  EXPECT_FALSE(busy(kTssSel));
  EXPECT_TRUE(busy(kTss2Sel));
  EXPECT_EQ(link(kTss2), 0u);
  EXPECT_EQ(cpu_.state.eflags(), kFlagFixed | kFlagIf);
  for (unsigned i = 0; i < 8; ++i) EXPECT_EQ(cpu_.state.reg32(i), 0x10000 * i + 0xc000);
  EXPECT_EQ(selector(Seg::gs), kData0);
  EXPECT_FALSE(cpu_.state.segment(Seg::fs).usable());
  EXPECT_NE(cpu_.state.cr0 & kCr0Ts, 0u);
  EXPECT_EQ(cpu_.state.dr[7], 0x6aau);
  EXPECT_EQ(get<u32>(kTss + 0x20), 0x12345u);
  EXPECT_EQ(get<u32>(kTss + 0x24), kFlagFixed | kFlagCf);
  EXPECT_EQ(get<u32>(kTss + 0x28), 0x87654321u);
  EXPECT_EQ(get<u32>(kTss + 0x38), kKernelStack);
  EXPECT_EQ(get<u16>(kTss + 0x4c), kCode0);
  EXPECT_NE(control_.events.load() & kEventInspect, 0u);
}

TEST_F(TaskSwitch, CallNestsAndIretReturns) {
  EXPECT_TRUE(far_call(cpu_, kTaskGateSel, 0, 4));
  expect_at(kCode0, 0x7000, 0);
  EXPECT_TRUE(busy(kTssSel));
  EXPECT_TRUE(busy(kTss2Sel));
  EXPECT_EQ(link(kTss2), kTssSel);
  EXPECT_EQ(cpu_.state.eflags(), kFlagFixed | kFlagIf | kFlagNt);
  cpu_.state.rip = 0x7010;
  EXPECT_TRUE(interrupt_return(cpu_, 4));
  expect_at(kCode0, 0x12345, 0);
  EXPECT_EQ(cpu_.state.tr.selector, kTssSel);
  EXPECT_EQ(cpu_.state.reg32(kEax), 0x87654321u);
  EXPECT_EQ(cpu_.state.eflags(), kFlagFixed | kFlagCf);
  EXPECT_TRUE(busy(kTssSel));
  EXPECT_FALSE(busy(kTss2Sel));
  EXPECT_EQ(get<u32>(kTss2 + 0x20), 0x7010u);
  EXPECT_EQ(get<u32>(kTss2 + 0x24), kFlagFixed | kFlagIf);  // NT cleared in the image
}

TEST_F(TaskSwitch, PrivilegeAndBusyChecks) {
  const auto call = [&] { return far_call(cpu_, kTss2Sel, 0, 4); };
  expect_fault(Fault::gp(kTssSel), [&] { return far_jump(cpu_, kTssSel, 0, 4); });
  at_level3();
  expect_fault(Fault::gp(kTss2Sel), call);
  at_level0();
  put_descriptor(kGdt, kTss2Sel, kTss2, 0x66, 0x89, 0);
  expect_fault(Fault::ts(kTss2Sel), call);
  put_descriptor(kGdt, kTss2Sel, kTss2, 0x67, 0x09, 0);
  expect_fault(Fault::np(kTss2Sel), call);
  cpu_.state.rflags |= kFlagNt;
  put<u16>(kTss, kTss2Sel);
  put_descriptor(kGdt, kTss2Sel, kTss2, 0x67, 0x89, 0);
  expect_fault(Fault::ts(kTss2Sel), [&] { return interrupt_return(cpu_, 4); });  // not busy
}

TEST_F(TaskSwitch, SixteenBitTss) {
  put<u16>(kTss16 + 0x0e, 0x6000);
  put<u16>(kTss16 + 0x10, kFlagFixed);
  for (unsigned i = 0; i < 8; ++i) put<u16>(kTss16 + 0x12 + 2 * i, static_cast<u16>(0xb000 + i));
  const u16 selectors[] = {kData0, kCode16, kData16, kData0};
  for (unsigned i = 0; i < 4; ++i) put<u16>(kTss16 + 0x22 + 2 * i, selectors[i]);
  EXPECT_TRUE(far_call(cpu_, kTss16Sel, 0, 4));
  expect_at(kCode16, 0x6000, 0);
  EXPECT_EQ(cpu_.state.reg16(kEdi), 0xb007);
  EXPECT_FALSE(cpu_.state.segment(Seg::gs).usable());
  EXPECT_EQ(link(kTss16), kTssSel);
  EXPECT_TRUE(interrupt_return(cpu_, 2));
  expect_at(kCode0, 0x12345, 0);
  EXPECT_EQ(get<u16>(kTss16 + 0x0e), 0x6000);
}

TEST_F(TaskSwitch, LoadsCr3AndLdt) {
  for (u32 directory : {0x20000u, 0x21000u}) put<u32>(directory, 0x83);
  cpu_.state.cr3 = 0x20000;
  cpu_.state.cr4 |= kCr4Pse;
  cpu_.state.cr0 |= kCr0Pg;
  cpu_.flush_all();
  put<u32>(kTss2 + 0x1c, 0x21000);
  put_descriptor(kGdt, 0x90, kLdt, 0xff, 0x82, 0);
  put<u16>(kTss2 + 0x60, 0x90);
  put_descriptor(kLdt, 0x08, 0, 0xfffff, 0xf2, 0xc);
  put<u16>(kTss2 + 0x54, 0x08 | 4 | 3);
  EXPECT_TRUE(far_jump(cpu_, kTss2Sel, 0, 4));
  EXPECT_EQ(cpu_.state.cr3, 0x21000u);
  EXPECT_EQ(cpu_.state.ldtr.selector, 0x90);
  EXPECT_EQ(cpu_.state.ldtr.base, kLdt);
  EXPECT_EQ(selector(Seg::ds), 0x0f);
  EXPECT_TRUE(cpu_.state.segment(Seg::ds).usable());
}

TEST_F(TaskSwitch, LateFaultIsTheNewTasks) {
  put<u16>(kTss2 + 0x54, kTssSel);  // DS
  put_idt(10, kCode0, 0x5000, 0x8e);
  EXPECT_TRUE(far_jump(cpu_, kTss2Sel, 0, 4));
  EXPECT_EQ(cpu_.state.tr.selector, kTss2Sel);
  expect_at(kCode0, 0x5000, 0);
  EXPECT_EQ(stacked(0), kTssSel);
  EXPECT_EQ(stacked(1), 0x7000u);
  EXPECT_EQ(esp(), 0x4c000u - 16);
}

TEST_F(TaskSwitch, LateFaultOfSoftwareInterrupt) {
  put<u16>(kTss2 + 0x4c, kData0);  // CS
  put_idt(10, kCode0, 0x5000, 0x8e);
  put_idt(0x30, kTss2Sel, 0, 0xe5);
  EXPECT_TRUE(software_interrupt(cpu_, 0x30, SoftwareInterrupt::int_n));
  EXPECT_EQ(cpu_.state.tr.selector, kTss2Sel);
  // SS could not be loaded before CS's fault, so that #TS and #DF find no stack.
  EXPECT_TRUE(cpu_.state.shutdown);
}

TEST_F(TaskSwitch, InterruptThroughTaskGatePushesErrorCode) {
  put_idt(13, kTss2Sel, 0, 0x85);
  deliver_fault(cpu_, Fault::gp(0xabc));
  expect_at(kCode0, 0x7000, 0);
  EXPECT_EQ(esp(), 0x4c000u - 4);
  EXPECT_EQ(stacked(0), 0xabcu);
  EXPECT_EQ(link(kTss2), kTssSel);
  EXPECT_EQ(get<u32>(kTss + 0x24), kFlagFixed | kFlagCf | kFlagRf);
}

TEST_F(TaskSwitch, TaskInV86AndDebugTrap) {
  put<u32>(kTss2 + 0x24, kFlagVm | kFlagIf);
  put<u16>(kTss2 + 0x4c, 0x1234);
  put<u16>(kTss2 + 0x64, 1);
  EXPECT_TRUE(far_jump(cpu_, kTss2Sel, 0, 4));
  EXPECT_TRUE(cpu_.v86());
  expect_at(0x1234, 0x7000, 3);
  EXPECT_EQ(cpu_.state.segment(Seg::cs).base, 0x12340u);
  EXPECT_EQ(cpu_.state.pending_dr6, 1u << 15);
}

}  // namespace
}  // namespace ringshift
