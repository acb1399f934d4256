// Tests of far JMP, CALL and RET, call gates, and SYSENTER/SYSEXIT.
#include "cpu-model/sysenter.h"
#include "cpu-model/transfer_test_machine.h"

namespace ringshift {
namespace {

using FarTransfer = TransferTest;

TEST_F(FarTransfer, JumpChecksCodeSegment) {
  const auto jump = [&](u16 selector) {
    return [this, selector] { return far_jump(cpu_, selector, 0x4000, 4); };
  };
  expect_fault(Fault::gp(0), jump(0));
  expect_fault(Fault::gp(0), jump(3));
  expect_fault(Fault::gp(0x1f8), jump(0x1f8));
  expect_fault(Fault::gp(0x0c), jump(0x0c));  // no LDT
  expect_fault(Fault::gp(kData0), jump(kData0));
  expect_fault(Fault::gp(kCode3 & ~3), jump(kCode3));
  expect_fault(Fault::gp(kCode0), jump(kCode0 | 1));
  expect_fault(Fault::np(kAbsent), jump(kAbsent));
  put_descriptor(kGdt, kCode16, 0, 0x3fff, 0x9b, 0);
  expect_fault(Fault::gp(0), jump(kCode16));
  EXPECT_TRUE(far_jump(cpu_, kCode0, 0x4000, 4));
  expect_at(kCode0, 0x4000, 0);
  at_level3();
  EXPECT_TRUE(far_jump(cpu_, kConforming, 0x4000, 4));
  expect_at(kConforming | 3, 0x4000, 3);
}

TEST_F(FarTransfer, JumpSetsAccessed) {
  put_descriptor(kGdt, kCode0, 0, 0xfffff, 0x9a, 0xc);
  EXPECT_TRUE(far_jump(cpu_, kCode0, 0x12344000, 2));
  expect_at(kCode0, 0x4000, 0);
  EXPECT_EQ(get<u8>(kGdt + kCode0 + 5), 0x9b);
}

TEST_F(FarTransfer, EnteringProtectedMode) {
  cpu_.state.cr0 &= ~u64{kCr0Pe};
  EXPECT_TRUE(far_jump(cpu_, 0x1234, 0x10, 2));
  EXPECT_EQ(cpu_.state.segment(Seg::cs).base, 0x12340u);
  cpu_.state.cr0 |= kCr0Pe;
  EXPECT_TRUE(far_jump(cpu_, kCode0, 0x100000, 4));
  EXPECT_EQ(cpu_.state.segment(Seg::cs), segment_from(kCode0, descriptor(kCode0)));
}

TEST_F(FarTransfer, RealModeCallAndReturn) {
  cpu_.state.cr0 &= ~u64{kCr0Pe};
  for (Seg s : {Seg::cs, Seg::ss}) cpu_.state.segment(s) = {0, 0, 0x93, 0xffff, 0, 0};
  cpu_.state.rip = 0x2345;
  load_real_segment(cpu_, Seg::cs, 0x100);
  load_real_segment(cpu_, Seg::ss, 0x200);
  cpu_.state.set_reg32(kEsp, 0x55550010);
  EXPECT_TRUE(far_call(cpu_, 0x300, 0x44, 2));
  EXPECT_EQ(esp(), 0x5555000cu);
  EXPECT_EQ(get<u16>(0x200c), 0x2345);
  EXPECT_EQ(get<u16>(0x200e), 0x100);
  expect_at(0x300, 0x44, 0);
  EXPECT_TRUE(far_return(cpu_, 2, 4));
  EXPECT_EQ(esp(), 0x55550014u);
  expect_at(0x100, 0x2345, 0);
  EXPECT_EQ(cpu_.state.segment(Seg::cs).base, 0x1000u);
  expect_fault(Fault::gp(0), [&] { return far_call(cpu_, 0x300, 0x10000, 4); });
  cpu_.state.set_reg32(kEsp, 1);
  expect_fault(Fault::ss(0), [&] { return far_call(cpu_, 0x300, 0x44, 2); });
}

TEST_F(FarTransfer, CallAndReturnAtSameLevel) {
  EXPECT_TRUE(far_call(cpu_, kCode0, 0x4000, 4));
  EXPECT_EQ(esp(), kKernelStack - 8);
  EXPECT_EQ(stacked(0), 0x12345u);
  EXPECT_EQ(stacked(1), kCode0);
  EXPECT_TRUE(far_return(cpu_, 4, 8));
  expect_at(kCode0, 0x12345, 0);
  EXPECT_EQ(esp(), kKernelStack + 8);
}

TEST_F(FarTransfer, CallGateToInnerLevelCopiesParameters) {
  put_gate(kGdt + kGate, kCode0, 0x4000, 0xec, 2);
  at_level3();
  put<u32>(kUserStack, 0x11111111);
  put<u32>(kUserStack + 4, 0x22222222);
  EXPECT_TRUE(far_call(cpu_, kGate | 3, 0xffffffff, 4));
  expect_at(kCode0, 0x4000, 0);
  EXPECT_EQ(selector(Seg::ss), kData0);
  EXPECT_EQ(esp(), kInnerStack - 24);
  EXPECT_EQ(stacked(0), 0x12345u);
  EXPECT_EQ(stacked(1), kCode3);
  EXPECT_EQ(stacked(2), 0x11111111u);
  EXPECT_EQ(stacked(3), 0x22222222u);
  EXPECT_EQ(stacked(4), kUserStack);
  EXPECT_EQ(stacked(5), kData3);
  // Back: both stacks lose the parameters; DS of level 0 becomes null.
  cpu_.state.segment(Seg::ds) = segment_from(kData0, descriptor(kData0));
  EXPECT_TRUE(far_return(cpu_, 4, 8));
  expect_at(kCode3, 0x12345, 3);
  EXPECT_EQ(selector(Seg::ss), kData3);
  EXPECT_EQ(esp(), kUserStack + 8);
  EXPECT_EQ(selector(Seg::ds), 0);
  EXPECT_FALSE(cpu_.state.segment(Seg::ds).usable());
  EXPECT_EQ(selector(Seg::es), kData3);
}

TEST_F(FarTransfer, SixteenBitCallGate) {
  put_gate(kGdt + kGate16, kCode1, 0xffff4000, 0xe4, 1);
  at_level3();
  put<u16>(kUserStack, 0x7777);
  EXPECT_TRUE(far_call(cpu_, kGate16, 0, 4));
  expect_at(kCode1 | 1, 0x4000, 1);
  EXPECT_EQ(selector(Seg::ss), kData1 | 1);
  EXPECT_EQ(esp(), kLevel1Stack - 10);
  EXPECT_EQ(get<u16>(esp()), 0x2345);
  EXPECT_EQ(get<u16>(esp() + 2), kCode3);
  EXPECT_EQ(get<u16>(esp() + 4), 0x7777);
  EXPECT_EQ(get<u16>(esp() + 6), kUserStack);
  EXPECT_EQ(get<u16>(esp() + 8), kData3);
}

TEST_F(FarTransfer, CallGateChecks) {
  at_level3();
  const auto call = [&] { return far_call(cpu_, kGate, 0, 4); };
  const auto jump = [&] { return far_jump(cpu_, kGate, 0, 4); };
  put_gate(kGdt + kGate, kCode0, 0x4000, 0x8c);
  expect_fault(Fault::gp(kGate), call);
  put_gate(kGdt + kGate, kCode0, 0x4000, 0x6c);
  expect_fault(Fault::np(kGate), call);
  put_gate(kGdt + kGate, 3, 0x4000, 0xec);
  expect_fault(Fault::gp(0), call);
  put_gate(kGdt + kGate, kData0, 0x4000, 0xec);
  expect_fault(Fault::gp(kData0), call);
  put_gate(kGdt + kGate, kAbsent, 0x4000, 0xec);
  expect_fault(Fault::np(kAbsent), call);
  put_gate(kGdt + kGate, kCode0, 0x4000, 0xec);
  expect_fault(Fault::gp(kCode0), jump);  // a jump cannot change level
  put_gate(kGdt + kGate, kCode3, 0x4000, 0xec);
  EXPECT_TRUE(jump());
  expect_at(kCode3, 0x4000, 3);
  EXPECT_EQ(esp(), kUserStack);
  put_gate(kGdt + kGate, kConforming, 0x4000, 0xec);
  EXPECT_TRUE(call());
  expect_at(kConforming | 3, 0x4000, 3);
  EXPECT_EQ(esp(), kUserStack - 8);
}

TEST_F(FarTransfer, ReturnChecks) {
  const auto ret = [&] { return far_return(cpu_, 4, 0); };
  const auto frame = [&](u32 eip, u32 cs, u32 outer_esp, u32 ss) {
    put<u32>(esp(), eip);
    put<u32>(esp() + 4, cs);
    put<u32>(esp() + 8, outer_esp);
    put<u32>(esp() + 12, ss);
  };
  frame(1, 0, 0, 0);
  expect_fault(Fault::gp(0), ret);
  frame(1, kCode3, 0, 0);
  expect_fault(Fault::gp(0), ret);
  frame(1, kCode3, 0, kData0);
  expect_fault(Fault::gp(kData0), ret);
  frame(1, kCode3, 0, kCode3);
  expect_fault(Fault::gp(kCode3 & ~3), ret);
  frame(1, kCode0 | 3, 0, kData3);
  expect_fault(Fault::gp(kCode0), ret);
  frame(1, kAbsent, 0, 0);
  expect_fault(Fault::np(kAbsent), ret);
  put_descriptor(kGdt, kData3, 0, 0xfffff, 0x73, 0xc);
  frame(1, kCode3, 0, kData3);
  expect_fault(Fault::ss(kData3 & ~3), ret);
  at_level3();
  frame(1, kCode0, 0, 0);
  expect_fault(Fault::gp(kCode0), ret);
}

TEST_F(FarTransfer, SysenterAndSysexit) {
  expect_fault(Fault::gp(0), [&] { return sysenter(cpu_); });
  cpu_.state.sysenter_cs = 0x60;
  cpu_.state.sysenter_esp = 0x7000;
  cpu_.state.sysenter_eip = 0xc0001000;
  at_level3();
  cpu_.state.rflags |= kFlagIf;
  expect_fault(Fault::gp(0), [&] { return sysexit(cpu_); });
  EXPECT_TRUE(sysenter(cpu_));
  expect_at(0x60, 0xc0001000, 0);
  EXPECT_EQ(selector(Seg::ss), 0x68);
  EXPECT_EQ(esp(), 0x7000u);
  EXPECT_EQ(cpu_.state.eflags(), kFlagFixed);
  EXPECT_EQ(cpu_.state.segment(Seg::cs), (SegmentRegister{0x60, 0, 0xc09b, 0xffffffff, 0, 0}));
  EXPECT_EQ(cpu_.state.segment(Seg::ss), (SegmentRegister{0x68, 0, 0xc093, 0xffffffff, 0, 0}));
  cpu_.state.set_reg32(kEdx, 0x4444);
  cpu_.state.set_reg32(kEcx, 0x5555);
  EXPECT_TRUE(sysexit(cpu_));
  expect_at(0x73, 0x4444, 3);
  EXPECT_EQ(esp(), 0x5555u);
  EXPECT_EQ(cpu_.state.segment(Seg::cs), (SegmentRegister{0x73, 0, 0xc0fb, 0xffffffff, 0, 0}));
  EXPECT_EQ(cpu_.state.segment(Seg::ss), (SegmentRegister{0x7b, 0, 0xc0f3, 0xffffffff, 0, 0}));
}

TEST_F(FarTransfer, NearJumpChecksLimit) {
  cpu_.state.segment(Seg::cs).limit = 0xfff;
  expect_fault(Fault::gp(0), [&] { return near_jump(cpu_, 0x1000); });
  EXPECT_TRUE(near_jump(cpu_, 0xfff));
  EXPECT_EQ(cpu_.state.eip(), 0xfffu);
}

}  // namespace
}  // namespace ringshift
