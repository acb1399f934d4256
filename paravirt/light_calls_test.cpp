// Light calls: each does what the full way does, to the byte; and what is unusual is refused, with nothing
// changed.
#include "cpu-model/event_delivery.h"
#include "paravirt/domain_fixture.h"

namespace ringshift::xen {
namespace {

using Light = DeliveryHook::Light;

class XenLightCalls : public XenDomain {
 protected:
  static constexpr Gva kCode = kBase + kImage + 0x200;
  static constexpr Gva kStackTop = kBase + kImage + 3 * kPageSize;
  static constexpr u32 kUserEsp = 0x12345678;
  static constexpr u8 kVector = 0x80;

  XenLightCalls() {
    EXPECT_TRUE(build(ElfFile().bytes()).has_value());
    domain_->traps.set_kernel_stack(kRing1Ds, kStackTop);
    domain_->traps.set_gate(kVector, {.cs = kRing1Cs, .eip = kCode, .masks = true, .dpl = 3});
    domain_->info.set_masked(false);
    state().set_reg32(kEsp, kStackTop - 0x40);
    kernel_ = state();
    // A program, which an iret led to.
    put_frame({7, kCode, kRing3Cs, kFlagIf, kUserEsp, kRing3Ds});
    load_segment_all(kRing3Ds);
    full(__HYPERVISOR_iret);
    EXPECT_EQ(state().cpl, 3);
    user_ = state();
    state() = kernel_;
  }

  VcpuState& state() { return cpu_.state; }
  void load_segment_all(u16 selector) {
    for (const Seg segment : {Seg::es, Seg::ds, Seg::fs, Seg::gs})
      EXPECT_TRUE(load_segment(cpu_, segment, selector).has_value());
  }
  struct Frame {
    u32 eax, eip, cs, flags, esp, ss;
  };
  void put_frame(const Frame& frame) { EXPECT_TRUE(write_linear(cpu_, state().reg32(kEsp), frame, false)); }
  void call(u32 number, u32 ebx = 0, u32 ecx = 0) {
    state().set_reg32(kEax, number);
    state().set_reg32(kEbx, ebx);
    state().set_reg32(kEcx, ecx);
  }
  bool deliver(u8 vector) {
    return domain_->deliver({.vector = vector, .kind = EventKind::software}).has_value();
  }
  void full(u32 number) {
    call(number);
    EXPECT_TRUE(deliver(kHypercallVector));
  }
  Light light(u8 vector) { return Domain::light_call(*domain_, vector); }

  // All that a call may change.
  struct Snapshot {
    VcpuState state;
    std::vector<u8> ram;
  };
  Snapshot take() const { return {cpu_.state, {ram_.base(), ram_.base() + kRam}}; }
  void put(const Snapshot& from) {
    cpu_.state = from.state;
    std::memcpy(ram_.base(), from.ram.data(), from.ram.size());
  }
  static bool same(const Snapshot& a, const Snapshot& b) {
    return std::memcmp(&a.state, &b.state, sizeof a.state) == 0 && a.ram == b.ram;
  }
  // The way that has no short cuts, which also makes the segments known; then the light one.
  void expect_same(u8 vector, Light how) {
    const Snapshot before = take();
    ASSERT_TRUE(deliver(vector));
    const Snapshot wanted = take();
    put(before);
    const u64 delivered = cpu_.delivered[vector];
    EXPECT_EQ(light(vector), how);
    EXPECT_TRUE(same(take(), wanted));
    EXPECT_EQ(cpu_.delivered[vector], delivered + 1);
    put(before);
  }
  void expect_refused(u8 vector) {
    const Snapshot before = take();
    EXPECT_EQ(light(vector), Light::refused);
    EXPECT_TRUE(same(take(), before));
  }

  VcpuState kernel_{}, user_{};
};

TEST_F(XenLightCalls, HypercallsDoWhatTheFullOnesDo) {
  call(__HYPERVISOR_xen_version, XENVER_version);
  expect_same(kHypercallVector, Light::next);
  call(__HYPERVISOR_sched_op, SCHEDOP_yield);
  expect_same(kHypercallVector, Light::next);
  call(__HYPERVISOR_stack_switch, kRing1Ds & ~3u, kStackTop - 16);
  expect_same(kHypercallVector, Light::next);
}

TEST_F(XenLightCalls, CallsAreCounted) {
  const u64 before = domain_->hypercalls.find(__HYPERVISOR_xen_version)->calls;
  call(__HYPERVISOR_xen_version, XENVER_version);
  EXPECT_EQ(light(kHypercallVector), Light::next);
  EXPECT_EQ(domain_->hypercalls.find(__HYPERVISOR_xen_version)->calls, before + 1);
}

TEST_F(XenLightCalls, IretDoesWhatTheFullOneDoes) {
  call(__HYPERVISOR_iret);
  for (const u32 flags :
       {u32{kFlagIf}, u32{0}, kFlagIf | kFlagRf | kFlagCf | kFlagDf, kFlagAc | kFlagId | kFlagNt}) {
    put_frame({1, kCode + 4, kRing3Cs, flags, kUserEsp, kRing3Ds});
    load_segment_all(kRing3Ds);
    expect_same(kHypercallVector, Light::elsewhere);
    put_frame({2, kCode + 8, kRing1Cs, flags, 0, 0});
    load_segment_all(kRing1Ds);
    expect_same(kHypercallVector, Light::elsewhere);
  }
}

TEST_F(XenLightCalls, ProgramsInterruptsDoWhatTheFullOnesDo) {
  for (const bool masked : {false, true}) {
    domain_->info.set_masked(masked);
    for (const u8 iopl : {0, 3}) {
      domain_->traps.iopl = iopl;
      state() = user_;
      state().rflags |= kFlagDf | kFlagNt | kFlagOf;
      expect_same(kVector, Light::elsewhere);
      state() = kernel_;
      expect_same(kVector, Light::elsewhere);
    }
  }
}

TEST_F(XenLightCalls, APendingEventRefusesAll) {
  call(__HYPERVISOR_xen_version, XENVER_version);
  expect_same(kHypercallVector, Light::next);
  const u8 pending = 1;
  domain_->memory.write(domain_->info.mfn(),
                        offsetof(xen32::shared_info_x86_32, vcpu_info[0].evtchn_upcall_pending), &pending, 1);
  expect_refused(kHypercallVector);
  call(__HYPERVISOR_iret);
  put_frame({1, kCode, kRing1Cs, kFlagIf, 0, 0});
  expect_refused(kHypercallVector);
  state() = user_;
  expect_refused(kVector);
}

TEST_F(XenLightCalls, WhatIsUnusualIsRefused) {
  for (const u32 command : {u32{XENVER_extraversion}, ~0u}) {
    call(__HYPERVISOR_xen_version, command);
    expect_refused(kHypercallVector);
  }
  call(__HYPERVISOR_sched_op, SCHEDOP_block);
  expect_refused(kHypercallVector);
  for (const u32 number : {u32{__HYPERVISOR_mmu_update}, 40u, 63u, 64u, ~0u}) {
    call(number);
    expect_refused(kHypercallVector);
  }
  // Not a hypercall from CPL 3, nor a vector that is the program's to raise.
  state() = user_;
  expect_refused(kHypercallVector);
  expect_refused(0x81);
}

TEST_F(XenLightCalls, IretsThatMayFailOrMeanMoreAreRefused) {
  call(__HYPERVISOR_iret);
  const Frame good{1, kCode, kRing3Cs, kFlagIf, kUserEsp, kRing3Ds};
  put_frame(good);
  load_segment_all(kRing3Ds);
  expect_same(kHypercallVector, Light::elsewhere);
  const auto bad = [&](auto change) {
    Frame frame = good;
    change(frame);
    put_frame(frame);
    expect_refused(kHypercallVector);
    put_frame(good);
  };
  bad([](Frame& frame) { frame.flags |= kFlagTf; });
  bad([](Frame& frame) { frame.flags |= kFlagVm; });
  bad([](Frame& frame) { frame.cs &= ~3u; });
  bad([](Frame& frame) { frame.cs = kRing3Ds; });
  bad([](Frame& frame) { frame.cs = 0; });
  bad([](Frame& frame) { frame.cs = 0xfff3; });
  bad([](Frame& frame) { frame.ss = 3; });
  bad([](Frame& frame) { frame.ss = kRing1Ds; });
  bad([](Frame& frame) { frame.ss = kRing3Cs; });
  // A data segment of the kernel's would have to go.
  ASSERT_TRUE(load_segment(cpu_, Seg::gs, kRing1Ds).has_value());
  expect_refused(kHypercallVector);
  ASSERT_TRUE(load_segment(cpu_, Seg::gs, kRing3Ds).has_value());
  domain_->traps.architectural_iopl = true;
  expect_refused(kHypercallVector);
  domain_->traps.architectural_iopl = false;
  // The frame in two pages, and in none.
  for (const u32 esp : {kStackTop - kPageSize - 8, u32{0x1000}, 0xfffffff8u}) {
    state().set_reg32(kEsp, esp);
    expect_refused(kHypercallVector);
  }
}

TEST_F(XenLightCalls, AStackThatCantBeWrittenPlainlyIsRefused) {
  state() = user_;
  expect_same(kVector, Light::elsewhere);
  for (const Gva top :
       {kStackTop - kPageSize + 8, u32{8}, u32{0}, u32{0x1000}, u32{kHypervisorStart + 0x1000}}) {
    domain_->traps.set_kernel_stack(kRing1Ds, top);
    expect_refused(kVector);
  }
  for (const u16 selector : {u16{1}, kRing1Cs, kRing3Ds, u16{0xfff1}}) {
    domain_->traps.set_kernel_stack(selector, kStackTop);
    expect_refused(kVector);
  }
  domain_->traps.set_kernel_stack(kRing1Ds, kStackTop);
  expect_same(kVector, Light::elsewhere);
  // A gate that leads nowhere, or not to the kernel.
  for (const u16 selector : {u16{0x11}, kRing3Cs, kRing1Ds}) {
    domain_->traps.set_gate(kVector, {.cs = selector, .eip = kCode, .masks = true, .dpl = 3});
    expect_refused(kVector);
  }
  domain_->traps.set_gate(kVector, {.cs = kRing1Cs, .eip = 0, .masks = true, .dpl = 3});
  expect_refused(kVector);
}

// Stores to shared_info that must be told of (its page holds code that was translated) aren't light.
TEST_F(XenLightCalls, AWatchedSharedInfoRefusesWhatWritesToIt) {
  call(__HYPERVISOR_iret);
  put_frame({1, kCode, kRing1Cs, kFlagIf, 0, 0});
  expect_same(kHypercallVector, Light::elsewhere);
  map_.add_attribute(u64{domain_->info.mfn()} << kPageShift, kAttrBtCode);
  expect_refused(kHypercallVector);
  state() = user_;
  expect_refused(kVector);
}

}  // namespace
}  // namespace ringshift::xen
