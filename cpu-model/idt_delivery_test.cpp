// Tests of delivery through interrupt and trap gates, to the byte on the stack.
#include "cpu-model/empty_board.h"
#include "cpu-model/transfer_test_machine.h"

namespace ringshift {
namespace {

constexpr u8 kTrap32 = 0x8f, kInt16 = 0x86, kInt32User = 0xee;
using Delivery = TransferTest;

TEST_F(Delivery, FaultAtSameLevelPushesFourWords) {
  put_idt(13, kCode0, 0x5000, kInt32);
  cpu_.state.rflags |= kFlagIf | kFlagTf | kFlagNt;
  cpu_.state.interrupt_shadow = kShadowSti;
  const u32 flags = cpu_.state.eflags();
  deliver_fault(cpu_, Fault::gp(0x1234));
  expect_at(kCode0, 0x5000, 0);
  EXPECT_EQ(esp(), kKernelStack - 16);
  EXPECT_EQ(stacked(0), 0x1234u);
  EXPECT_EQ(stacked(1), 0x12345u);
  EXPECT_EQ(stacked(2), kCode0);
  EXPECT_EQ(stacked(3), flags | kFlagRf);
  EXPECT_EQ(cpu_.state.eflags(), kFlagFixed);
  EXPECT_EQ(cpu_.state.interrupt_shadow, 0);
  EXPECT_EQ(cpu_.delivered[13], 1u);
  EXPECT_TRUE(cpu_.fault_chain.empty());
}

TEST_F(Delivery, TrapGateKeepsInterruptFlag) {
  put_idt(6, kCode0, 0x5000, kTrap32);
  cpu_.state.rflags |= kFlagIf;
  deliver_fault(cpu_, Fault::ud());
  EXPECT_EQ(esp(), kKernelStack - 12);
  EXPECT_EQ(cpu_.state.eflags(), kFlagFixed | kFlagIf);
}

TEST_F(Delivery, InnerLevelTakesStackFromTss) {
  put_idt(14, kCode0, 0x6000, kInt32);
  at_level3();
  deliver_fault(cpu_, Fault::pf(0xdeadbeef, 7));
  expect_at(kCode0, 0x6000, 0);
  EXPECT_EQ(selector(Seg::ss), kData0);
  EXPECT_EQ(esp(), kInnerStack - 24);
  EXPECT_EQ(stacked(0), 7u);
  EXPECT_EQ(stacked(1), 0x12345u);
  EXPECT_EQ(stacked(2), kCode3);
  EXPECT_EQ(stacked(3), kFlagFixed | kFlagRf);
  EXPECT_EQ(stacked(4), kUserStack);
  EXPECT_EQ(stacked(5), kData3);
  EXPECT_EQ(cpu_.state.cr2, 0xdeadbeefu);
  EXPECT_EQ(selector(Seg::ds), kData3);
}

TEST_F(Delivery, SixteenBitGatePushesHalves) {
  put_idt(13, kCode0, 0xffff5000, kInt16);
  deliver_fault(cpu_, Fault::gp(0x10));
  expect_at(kCode0, 0x5000, 0);
  EXPECT_EQ(esp(), kKernelStack - 8);
  EXPECT_EQ(get<u16>(esp()), 0x10);
  EXPECT_EQ(get<u16>(esp() + 2), 0x2345);
  EXPECT_EQ(get<u16>(esp() + 4), kCode0);
  EXPECT_EQ(get<u16>(esp() + 6), kFlagFixed);
}

TEST_F(Delivery, SixteenBitStackWrapsAndKeepsUpperHalf) {
  put_idt(6, kCode0, 0x5000, kInt32);
  cpu_.state.segment(Seg::ss) = segment_from(kData16, descriptor(kData16));
  cpu_.state.set_reg32(kEsp, 0xabcd0004);
  deliver_fault(cpu_, Fault::ud());
  EXPECT_EQ(esp(), 0xabcdfff8u);
  EXPECT_EQ(get<u32>(0xfff8), 0x12345u);
  EXPECT_EQ(get<u32>(0xfffc), kCode0);
  EXPECT_EQ(get<u32>(0), kFlagFixed | kFlagRf);
}

TEST_F(Delivery, ConformingHandlerKeepsLevel) {
  put_idt(6, kConforming, 0x5000, kInt32);
  at_level3();
  deliver_fault(cpu_, Fault::ud());
  expect_at(kConforming | 3, 0x5000, 3);
  EXPECT_EQ(esp(), kUserStack - 12);
}

TEST_F(Delivery, SoftwareInterruptChecksGate) {
  put_idt(0x80, kCode0, 0x5000, kInt32);
  at_level3();
  const auto int80 = [&] { return software_interrupt(cpu_, 0x80, SoftwareInterrupt::int_n); };
  expect_fault(Fault::gp(0x80 * 8 + 2), int80);
  put_idt(0x80, kCode0, 0x5000, 0x6e);
  expect_fault(Fault::np(0x80 * 8 + 2), int80);
  put_idt(0x80, kCode0, 0x5000, 0xec);  // a call gate
  expect_fault(Fault::gp(0x80 * 8 + 2), int80);
  put_idt(0x80, 0, 0x5000, kInt32User);
  expect_fault(Fault::gp(0), int80);
  put_idt(0x80, kAbsent, 0x5000, kInt32User);
  expect_fault(Fault::np(kAbsent), int80);
  put_idt(0x80, 0x1f8, 0x5000, kInt32User);
  expect_fault(Fault::gp(0x1f8), int80);
  put_idt(0x80, kData0, 0x5000, kInt32User);
  expect_fault(Fault::gp(kData0), int80);
  cpu_.state.idtr.limit = 0x80 * 8 + 6;
  expect_fault(Fault::gp(0x80 * 8 + 2), int80);
  cpu_.state.idtr.limit = 0x7ff;
  put_idt(0x80, kCode0, 0x5000, kInt32User);
  EXPECT_TRUE(int80());
  expect_at(kCode0, 0x5000, 0);
  EXPECT_EQ(stacked(2), kFlagFixed);  // no RF: not a fault
}

TEST_F(Delivery, Int1PassesTheGatesLevel) {
  put_idt(1, kCode0, 0x5000, kInt32);
  at_level3();
  EXPECT_TRUE(software_interrupt(cpu_, 1, SoftwareInterrupt::int1));
  expect_at(kCode0, 0x5000, 0);
}

TEST_F(Delivery, BadInnerStacks) {
  put_idt(0x80, kCode0, 0x5000, kInt32User);
  at_level3();
  const auto int80 = [&] { return software_interrupt(cpu_, 0x80, SoftwareInterrupt::int_n); };
  put<u16>(kTss + 8, 0);
  expect_fault(Fault::ts(0), int80);
  put<u16>(kTss + 8, kData3);
  expect_fault(Fault::ts(kData3 & ~3), int80);
  put<u16>(kTss + 8, kCode0);
  expect_fault(Fault::ts(kCode0), int80);
  put<u16>(kTss + 8, kData0);
  cpu_.state.tr.limit = 8;
  expect_fault(Fault::ts(kTssSel), int80);
  cpu_.state.tr.limit = 0x67;
  put_descriptor(kGdt, kData0, 0, 0xfffff, 0x13, 0xc);
  expect_fault(Fault::ss(kData0), int80);
  put_descriptor(kGdt, kData0, 0, 0x8000, 0x93, 0x4);
  expect_fault(Fault::ss(kData0), int80);
}

TEST_F(Delivery, ExternalInterruptSetsExtInNestedError) {
  put_idt(11, kCode0, 0x5000, kInt32);
  put_idt(0x30, kCode0, 0x7000, 0x0e);
  cpu_.state.halted = 1;
  deliver_interrupt(cpu_, 0x30);
  expect_at(kCode0, 0x5000, 0);
  EXPECT_EQ(stacked(0), 0x30u * 8 + 3);
  EXPECT_EQ(cpu_.state.halted, 0);
}

TEST_F(Delivery, DebugFaultsAndTraps) {
  put_idt(1, kCode0, 0x5000, kInt32);
  cpu_.state.dr[6] = 0xffff0ff1;
  cpu_.state.dr[7] |= 1u << 13;
  deliver_debug_trap(cpu_, 1u << 14);
  EXPECT_EQ(cpu_.state.dr[6], 0xffff4ff0u);
  EXPECT_EQ(cpu_.state.dr[7], 0x400u);
  EXPECT_EQ(stacked(2) & kFlagRf, 0u);
  at_level0();
  deliver_fault(cpu_, Fault::db(2));  // an instruction breakpoint
  EXPECT_EQ(cpu_.state.dr[6], 0xffff4ff2u);
  EXPECT_EQ(stacked(2) & kFlagRf, 0u);
  at_level0();
  deliver_fault(cpu_, Fault::db(1u << 13));
  EXPECT_EQ(stacked(2) & kFlagRf, kFlagRf);
}

class Controller final : public EmptyBoard {
 public:
  int vector = -1;
  int acknowledge_interrupt() override { return vector; }
};

TEST_F(Delivery, PendingEventsInOrder) {
  Controller io;
  cpu_.io = &io;
  io.vector = 0x20;
  for (u8 v : {1, 2, 0x20}) put_idt(v, kCode0, 0x5000 + v, kTrap32);
  cpu_.state.rflags |= kFlagIf;
  cpu_.state.pending_dr6 = 1u << 14;
  control_.raise_event(kEventNmi | kEventInterrupt);
  cpu_.state.interrupt_shadow = kShadowMovSs;
  EXPECT_FALSE(deliver_pending(cpu_));
  EXPECT_NE(control_.events.load() & kEventInspect, 0u);
  cpu_.state.interrupt_shadow = 0;
  EXPECT_TRUE(deliver_pending(cpu_));
  EXPECT_EQ(cpu_.state.eip(), 0x5001u);
  EXPECT_EQ(cpu_.state.pending_dr6, 0u);
  EXPECT_TRUE(deliver_pending(cpu_));
  EXPECT_EQ(cpu_.state.eip(), 0x5002u);
  EXPECT_TRUE(cpu_.state.nmi_masked);
  cpu_.state.interrupt_shadow = kShadowSti;
  EXPECT_FALSE(deliver_pending(cpu_));
  cpu_.state.interrupt_shadow = 0;
  cpu_.state.halted = 1;
  EXPECT_TRUE(deliver_pending(cpu_));
  EXPECT_EQ(cpu_.state.eip(), 0x5020u);
  EXPECT_FALSE(cpu_.state.halted);
  io.vector = -1;
  EXPECT_FALSE(deliver_pending(cpu_));
  control_.raise_event(kEventNmi);
  control_.clear_event(kEventInterrupt);
  EXPECT_FALSE(deliver_pending(cpu_));  // masked
  EXPECT_TRUE(cpu_.state.nmi_pending);
  EXPECT_TRUE(interrupt_return(cpu_, 4));
  EXPECT_TRUE(deliver_pending(cpu_));
  EXPECT_EQ(cpu_.state.eip(), 0x5002u);
}

}  // namespace
}  // namespace ringshift
