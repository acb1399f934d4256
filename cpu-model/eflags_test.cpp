// PUSHF, POPF, CLI, STI in every mode, and the I/O permission bitmap.
#include "cpu-model/eflags.h"

#include "cpu-model/cpu_fixture.h"

namespace ringshift {
namespace {

constexpr u32 kAll = 0xffffffff;

class Flags : public CpuFixture {
 protected:
  Flags() { enter_flat_mode(); }
  u32 popped(u32 image, unsigned size) {
    EXPECT_DONE(flags_from_pop(cpu_, image, size));
    return cpu_.state.eflags();
  }
  void set_flags(u32 flags) { cpu_.state.rflags = flags | kFlagFixed; }
};

TEST_F(Flags, PushHidesVmAndRf) {
  set_flags(kFlagRf | kFlagCf | kFlagId | kFlagIf);
  EXPECT_EQ(flags_for_push(cpu_, 4).value(), kFlagFixed | kFlagCf | kFlagId | kFlagIf);
  EXPECT_EQ(flags_for_push(cpu_, 2).value(), kFlagFixed | kFlagCf | kFlagIf);
}

TEST_F(Flags, PopAtCpl0) {
  constexpr u32 kRest =
      kArithmeticFlags | kFlagTf | kFlagIf | kFlagDf | kFlagIopl | kFlagNt | kFlagAc | kFlagId;
  set_flags(kFlagRf);
  EXPECT_EQ(popped(kAll, 4), kRest | kFlagFixed) << "no VM, VIF, VIP; RF cleared";
  EXPECT_EQ(popped(0, 4), kFlagFixed);
  EXPECT_EQ(popped(kAll, 2), (kRest & 0xffff) | kFlagFixed);
  set_flags(kFlagAc | kFlagId | kFlagVif);
  EXPECT_EQ(popped(0, 2), kFlagFixed | kFlagAc | kFlagId | kFlagVif) << "a 16-bit pop leaves the upper half";
}

TEST_F(Flags, PopAtCpl3KeepsIoplAndPerhapsIf) {
  set_cpl(3);
  set_flags(kFlagIf);
  EXPECT_EQ(popped(kFlagIopl, 4), kFlagFixed | kFlagIf) << "IOPL 0: silently kept";
  set_flags(kFlagIf | kFlagIopl);
  EXPECT_EQ(popped(0, 4), kFlagFixed | kFlagIopl) << "IOPL 3: IF may change";
}

TEST_F(Flags, PopWakesTheEngine) {
  inspect_raised();
  popped(kFlagCf, 4);
  EXPECT_FALSE(inspect_raised());
  popped(kFlagIf, 4);
  EXPECT_TRUE(inspect_raised());
  popped(kFlagIf | kFlagTf, 4);
  EXPECT_TRUE(inspect_raised());
}

TEST_F(Flags, RealMode) {
  cpu_.state.cr0 = 0;
  EXPECT_EQ(popped(kAll, 2) & kFlagIopl, kFlagIopl);
  EXPECT_DONE(clear_interrupt_flag(cpu_));
  EXPECT_EQ(cpu_.state.rflags & kFlagIf, 0u);
  EXPECT_DONE(set_interrupt_flag(cpu_));
  EXPECT_DONE(check_port_permission(cpu_, 0x3f8, 4));
}

TEST_F(Flags, StiShadowsOnlyWhenIfWasClear) {
  inspect_raised();
  EXPECT_DONE(set_interrupt_flag(cpu_));
  EXPECT_EQ(cpu_.state.interrupt_shadow, kShadowSti);
  EXPECT_TRUE(inspect_raised());
  cpu_.state.interrupt_shadow = 0;
  EXPECT_DONE(set_interrupt_flag(cpu_));
  EXPECT_EQ(cpu_.state.interrupt_shadow, 0);
}

TEST_F(Flags, CliAndStiNeedIopl) {
  set_cpl(3);
  set_flags(kFlagIf);
  EXPECT_FAULT(Fault::gp(), clear_interrupt_flag(cpu_));
  EXPECT_FAULT(Fault::gp(), set_interrupt_flag(cpu_));
  set_flags(kFlagIf | kFlagIopl);
  EXPECT_DONE(clear_interrupt_flag(cpu_));
  EXPECT_EQ(cpu_.state.rflags & kFlagIf, 0u);
}

TEST_F(Flags, PviVirtualisesIfAtCpl3Only) {
  cpu_.state.cr4 = kCr4Pvi;
  set_cpl(3);
  set_flags(kFlagIf);
  EXPECT_DONE(set_interrupt_flag(cpu_));
  EXPECT_EQ(cpu_.state.eflags(), kFlagFixed | kFlagIf | kFlagVif);
  EXPECT_DONE(clear_interrupt_flag(cpu_));
  EXPECT_EQ(cpu_.state.eflags(), kFlagFixed | kFlagIf);
  set_flags(kFlagVip);
  EXPECT_FAULT(Fault::gp(), set_interrupt_flag(cpu_));
  set_cpl(2);
  set_flags(0);
  EXPECT_FAULT(Fault::gp(), set_interrupt_flag(cpu_));
}

TEST_F(Flags, V86WithIopl3WorksOnTheRealIf) {
  enter_v86(3);
  cpu_.state.cr4 = kCr4Vme;
  EXPECT_DONE(set_interrupt_flag(cpu_));
  EXPECT_NE(cpu_.state.rflags & kFlagIf, 0u);
  EXPECT_EQ(flags_for_push(cpu_, 4).value() & (kFlagVm | kFlagIf), kFlagIf);
  EXPECT_EQ(popped(0, 4), kFlagFixed | kFlagVm | kFlagIopl) << "VM and IOPL stay";
}

TEST_F(Flags, V86WithoutIopl3IsSensitive) {
  enter_v86(2);
  EXPECT_FAULT(Fault::gp(), flags_for_push(cpu_, 2));
  EXPECT_FAULT(Fault::gp(), flags_from_pop(cpu_, 0, 2));
  EXPECT_FAULT(Fault::gp(), clear_interrupt_flag(cpu_));
  EXPECT_FAULT(Fault::gp(), set_interrupt_flag(cpu_));
}

TEST_F(Flags, VmeGivesAVirtualIf) {
  enter_v86(0);
  cpu_.state.cr4 = kCr4Vme;
  EXPECT_DONE(set_interrupt_flag(cpu_));
  EXPECT_EQ(cpu_.state.eflags(), kFlagFixed | kFlagVm | kFlagVif);
  EXPECT_EQ(flags_for_push(cpu_, 2).value(), kFlagFixed | kFlagIf | kFlagIopl);
  EXPECT_FAULT(Fault::gp(), flags_for_push(cpu_, 4));
  EXPECT_FAULT(Fault::gp(), flags_from_pop(cpu_, 0, 4));
  EXPECT_EQ(popped(kFlagCf, 2), kFlagFixed | kFlagVm | kFlagCf) << "IF of the image goes to VIF";
  EXPECT_EQ(popped(kFlagIf | kFlagIopl, 2), kFlagFixed | kFlagVm | kFlagVif);
  EXPECT_FAULT(Fault::gp(), flags_from_pop(cpu_, kFlagTf, 2));
  cpu_.state.rflags |= kFlagVip;
  EXPECT_FAULT(Fault::gp(), flags_from_pop(cpu_, kFlagIf, 2));
  EXPECT_DONE(flags_from_pop(cpu_, 0, 2));
}

class Ports : public Flags {
 protected:
  static constexpr Gpa kTss = 0x8000;
  static constexpr u16 kMap = 0x68;
  Ports() {
    set_cpl(3);
    // Ports 0-1f: all but 8-f forbidden; then the byte of ones.
    cpu_.state.tr = {0x38, 0, 0x8b, kMap + 4, 0, kTss};
    poke<u16>(kTss + 0x66, kMap);
    poke<u32>(kTss + kMap, 0xffff00ff);
    poke<u8>(kTss + kMap + 4, 0xff);
  }
};

TEST_F(Ports, IoplOrBitmap) {
  EXPECT_DONE(check_port_permission(cpu_, 8, 1));
  EXPECT_DONE(check_port_permission(cpu_, 0xc, 4));
  EXPECT_FAULT(Fault::gp(), check_port_permission(cpu_, 0xd, 4));
  EXPECT_FAULT(Fault::gp(), check_port_permission(cpu_, 7, 2));
  EXPECT_FAULT(Fault::gp(), check_port_permission(cpu_, 0, 1));
  set_flags(kFlagIopl);
  EXPECT_DONE(check_port_permission(cpu_, 0, 1));
}

TEST_F(Ports, BitmapEndsAtTheLimit) {
  poke<u64>(kTss + kMap, 0);
  EXPECT_DONE(check_port_permission(cpu_, 0x1f, 1));
  EXPECT_FAULT(Fault::gp(), check_port_permission(cpu_, 0x20, 1));  // its second byte is beyond
  poke<u16>(kTss + 0x66, 0xffff);
  EXPECT_FAULT(Fault::gp(), check_port_permission(cpu_, 0, 1));
}

TEST_F(Ports, OnlyA32BitTssHasABitmap) {
  cpu_.state.tr.attributes = 0x83;
  EXPECT_FAULT(Fault::gp(), check_port_permission(cpu_, 8, 1));
  cpu_.state.tr.attributes = 0x8b;
  cpu_.state.tr.limit = 0x66;
  EXPECT_FAULT(Fault::gp(), check_port_permission(cpu_, 8, 1));
}

TEST_F(Ports, V86AlwaysUsesTheBitmap) {
  cpu_.state.rflags = kFlagFixed | kFlagVm | kFlagIopl;
  EXPECT_DONE(check_port_permission(cpu_, 8, 1));
  EXPECT_FAULT(Fault::gp(), check_port_permission(cpu_, 0, 1));
}

}  // namespace
}  // namespace ringshift
