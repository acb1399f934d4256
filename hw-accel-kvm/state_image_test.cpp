// VcpuState to KVM's structures and back.
#include "hw-accel-kvm/state_image.h"

#include <gtest/gtest.h>

#include <random>

#include "cpu-model/vcpu_dump.h"

namespace ringshift {
namespace {

VcpuState back(const VcpuState& state) {
  VcpuState result = state;
  take_image(image_of(state), result);
  return result;
}

// A protected-mode state with values in every element that KVM holds.
VcpuState busy_state() {
  std::mt19937 random(1);
  VcpuState state{};
  reset_vcpu(state, 0x106c2);
  for (unsigned i = 0; i < 8; ++i) state.gpr[i] = random();
  state.rip = random();
  state.rflags = kFlagFixed | kFlagIf | kFlagCf | 3u << 12;
  for (unsigned i = 0; i < 416; ++i)
    if (i < 24 || i > 31) state.fx.bytes[i] = static_cast<u8>(random());
  for (SegmentRegister& segment : state.seg)
    segment = {static_cast<u16>(random() | 3), 0, 0xd0f3, static_cast<u32>(random()) | 0xfff, 0, random()};
  state.segment(Seg::gs) = {3, 0, kSegUnusable, 0, 0, 0};
  state.segment(Seg::cs).attributes = 0xc0fb;
  state.ldtr = {0x48, 0, 0x82, 0x1234, 0, 0x56789};
  state.tr = {0x50, 0, 0x8b, 0x67, 0, 0x98765};
  state.gdtr = {0x1000, 0x7f, 0};
  state.idtr = {0x2000, 0x7ff, 0};
  state.cr0 = kCr0Pe | kCr0Pg | kCr0Et | kCr0Wp;
  state.cr2 = random();
  state.cr3 = 0x5000;
  state.cr4 = kCr4Pae | kCr4OsFxsr;
  state.efer = kEferNxe;
  for (u64& entry : state.pdpte) entry = (random() & 0xfffff000) | 1;
  for (unsigned i = 0; i < 4; ++i) state.dr[i] = random();
  state.dr[6] = 0xffff4ff1;
  state.dr[7] = 0x455;
  state.tsc_aux = random();
  state.sysenter_cs = 0x60;
  state.sysenter_esp = random();
  state.sysenter_eip = random();
  state.cpl = 3;
  state.interrupt_shadow = kShadowSti;
  state.nmi_masked = 1;
  state.nmi_pending = 1;
  return state;
}

TEST(StateImage, GoesThereAndBack) {
  const VcpuState state = busy_state();
  EXPECT_EQ(diff_vcpu(state, back(state)), "");
}

TEST(StateImage, ResetStateGoesThereAndBack) {
  VcpuState state{};
  reset_vcpu(state, 0x106c2);
  EXPECT_EQ(diff_vcpu(state, back(state)), "");
}

TEST(StateImage, LeavesAloneWhatKvmDoesNotHold) {
  VcpuState state = busy_state();
  state.apic_base = 0xfee00800;
  state.pat = 7;
  state.misc_enable = 5;
  state.mtrr_def_type = 6;
  state.tsc_offset = 42;
  state.a20_masked = 1;
  state.ferr_pending = 1;
  EXPECT_EQ(diff_vcpu(state, back(state)), "");
}

TEST(StateImage, CplComesFromTheStackSegmentButNotInRealAndV86Mode) {
  VcpuState state = busy_state();
  for (const u8 cpl : {u8{0}, u8{1}, u8{2}, u8{3}}) {
    state.cpl = cpl;
    state.segment(Seg::ss).attributes = 0xc093u | u32{cpl} << kSegDplShift;
    EXPECT_EQ(back(state).cpl, cpl);
  }
  state.rflags |= kFlagVm;
  EXPECT_EQ(back(state).cpl, 3);
  state.cpl = 0;
  state.cr0 = kCr0Et;
  EXPECT_EQ(back(state).cpl, 0);
}

TEST(StateImage, AnInterruptedNmiWaitsAgain) {
  VcpuState state = busy_state();
  StateImage image = image_of(state);
  image.events.nmi.pending = 0;
  image.events.nmi.injected = 1;
  take_image(image, state);
  EXPECT_EQ(state.nmi_pending, 1);
  EXPECT_EQ(state.nmi_masked, 0);
}

TEST(StateImage, QuirkMakesTheTaskStateSegmentAvailable) {
  const VcpuState state = busy_state();
  EXPECT_EQ(image_of(state).sregs.tr.type, 0xb);
  EXPECT_EQ(image_of(state, {.task_register_not_busy = true}).sregs.tr.type, 0x9);
}

}  // namespace
}  // namespace ringshift
