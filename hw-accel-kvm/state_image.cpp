// VcpuState to KVM's structures and back, without KVM.
#include "hw-accel-kvm/state_image.h"

#include <cstring>

namespace ringshift {

namespace {
constexpr std::size_t kFxUsed = 416;      // what FXSAVE writes; then reserved bytes
constexpr std::size_t kMxcsrMaskAt = 28;  // the host's own
constexpr std::size_t kXstateBvAt = 512;  // SDM vol. 1 13.4.2
constexpr u64 kX87AndSse = 3;

kvm_segment segment_of(const SegmentRegister& from) {
  kvm_segment to{};
  to.base = from.base;
  to.limit = from.limit;
  to.selector = from.selector;
  if (!from.usable()) {
    to.unusable = 1;
    return to;
  }
  const u32 a = from.attributes;
  to.type = a & kSegTypeMask;
  to.s = (a >> 4) & 1;
  to.dpl = from.dpl();
  to.present = (a >> 7) & 1;
  to.avl = (a >> 12) & 1;
  to.l = 0;
  to.db = (a >> 14) & 1;
  to.g = (a >> 15) & 1;
  return to;
}

// KVM on AMD gives "not present" back as unusable, and G as the limit suggests it: a null segment looks here
// as the CPU model makes it.
SegmentRegister segment_from(const kvm_segment& from) {
  SegmentRegister to{};
  to.selector = from.selector;
  if (from.unusable != 0) {
    to.attributes = kSegUnusable;
    return to;
  }
  to.base = from.base;
  to.limit = from.limit;
  to.attributes = u32{from.type} | u32{from.s} << 4 | u32{from.dpl} << kSegDplShift | u32{from.present} << 7 |
                  u32{from.avl} << 12 | u32{from.db} << 14 | u32{from.g} << 15;
  return to;
}

kvm_dtable table_of(const DescriptorTable& from) {
  kvm_dtable to{};
  to.base = from.base;
  to.limit = static_cast<u16>(from.limit);
  return to;
}

DescriptorTable table_from(const kvm_dtable& from) { return {from.base, from.limit, 0}; }

bool pae_paging(const VcpuState& state) { return (state.cr0 & kCr0Pg) != 0 && (state.cr4 & kCr4Pae) != 0; }

kvm_sregs2 sregs_of(const VcpuState& state) {
  kvm_sregs2 to{};
  to.es = segment_of(state.segment(Seg::es));
  to.cs = segment_of(state.segment(Seg::cs));
  to.ss = segment_of(state.segment(Seg::ss));
  to.ds = segment_of(state.segment(Seg::ds));
  to.fs = segment_of(state.segment(Seg::fs));
  to.gs = segment_of(state.segment(Seg::gs));
  // KVM's CPL is SS.DPL (SDM vol. 3C 24.4.1); after a switch to real mode an old DPL may stand there.
  to.ss.dpl = state.cpl;
  to.tr = segment_of(state.tr);
  to.ldt = segment_of(state.ldtr);
  to.gdt = table_of(state.gdtr);
  to.idt = table_of(state.idtr);
  to.cr0 = state.cr0;
  to.cr2 = state.cr2;
  to.cr3 = state.cr3;
  to.cr4 = state.cr4;
  to.efer = state.efer;
  to.apic_base = state.apic_base;  // CPUID's APIC bit follows it
  if (pae_paging(state)) {
    to.flags = KVM_SREGS2_FLAGS_PDPTRS_VALID;
    for (unsigned i = 0; i < 4; ++i) to.pdptrs[i] = state.pdpte[i];
  }
  return to;
}

void take_sregs(const kvm_sregs2& from, VcpuState& state) {
  state.segment(Seg::es) = segment_from(from.es);
  state.segment(Seg::cs) = segment_from(from.cs);
  state.segment(Seg::ss) = segment_from(from.ss);
  state.segment(Seg::ds) = segment_from(from.ds);
  state.segment(Seg::fs) = segment_from(from.fs);
  state.segment(Seg::gs) = segment_from(from.gs);
  state.tr = segment_from(from.tr);
  state.ldtr = segment_from(from.ldt);
  state.gdtr = table_from(from.gdt);
  state.idtr = table_from(from.idt);
  state.cr0 = from.cr0;
  state.cr2 = from.cr2;
  state.cr3 = from.cr3;
  state.cr4 = from.cr4;
  state.efer = from.efer;
  if ((from.flags & KVM_SREGS2_FLAGS_PDPTRS_VALID) != 0)
    for (unsigned i = 0; i < 4; ++i) state.pdpte[i] = from.pdptrs[i];
  const bool v86 = (state.rflags & kFlagVm) != 0 && (state.cr0 & kCr0Pe) != 0;
  state.cpl = (state.cr0 & kCr0Pe) == 0 ? u8{0} : v86 ? u8{3} : from.ss.dpl;
}

u64* register_in(kvm_regs& regs, unsigned number) {
  __u64* const order[16] = {&regs.rax, &regs.rcx, &regs.rdx, &regs.rbx, &regs.rsp, &regs.rbp,
                            &regs.rsi, &regs.rdi, &regs.r8,  &regs.r9,  &regs.r10, &regs.r11,
                            &regs.r12, &regs.r13, &regs.r14, &regs.r15};
  return reinterpret_cast<u64*>(order[number]);
}

kvm_vcpu_events events_of(const VcpuState& state) {
  kvm_vcpu_events to{};
  to.flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW;
  to.nmi.pending = state.nmi_pending;
  to.nmi.masked = state.nmi_masked;
  if ((state.interrupt_shadow & kShadowSti) != 0) to.interrupt.shadow |= KVM_X86_SHADOW_INT_STI;
  if ((state.interrupt_shadow & kShadowMovSs) != 0) to.interrupt.shadow |= KVM_X86_SHADOW_INT_MOV_SS;
  return to;
}

// AMD's hardware has one shadow for both and KVM gives it back as both: it holds back more, never less.
void take_events(const kvm_vcpu_events& from, VcpuState& state) {
  state.interrupt_shadow = 0;
  if ((from.interrupt.shadow & KVM_X86_SHADOW_INT_STI) != 0) state.interrupt_shadow |= kShadowSti;
  if ((from.interrupt.shadow & KVM_X86_SHADOW_INT_MOV_SS) != 0) state.interrupt_shadow |= kShadowMovSs;
  state.nmi_masked = from.nmi.masked != 0 ? 1 : 0;
  state.nmi_pending = from.nmi.pending != 0 ? 1 : 0;
  if (from.nmi.injected == 0) return;
  // It was about to be delivered, and masks others already.
  state.nmi_pending = 1;
  state.nmi_masked = 0;
}
}  // namespace

void apply_quirks(kvm_sregs2& sregs, const HostQuirks& quirks) {
  constexpr u8 kBusy = 2;  // of a TSS's type
  if (quirks.task_register_not_busy) sregs.tr.type &= static_cast<u8>(~kBusy);
}

StateImage image_of(const VcpuState& state, const HostQuirks& quirks) {
  StateImage image{};
  // KVM takes a 32-bit guest's registers whole.
  for (unsigned i = 0; i < 8; ++i) *register_in(image.regs, i) = static_cast<u32>(state.gpr[i]);
  for (unsigned i = 8; i < 16; ++i) *register_in(image.regs, i) = state.gpr[i];
  image.regs.rip = state.rip;
  image.regs.rflags = state.rflags;
  image.sregs = sregs_of(state);
  apply_quirks(image.sregs, quirks);
  std::memcpy(image.xsave.region, state.fx.bytes, kFxUsed);
  std::memcpy(reinterpret_cast<u8*>(image.xsave.region) + kXstateBvAt, &kX87AndSse, sizeof kX87AndSse);
  for (unsigned i = 0; i < 4; ++i) image.debug.db[i] = state.dr[i];
  image.debug.dr6 = state.dr[6];
  image.debug.dr7 = state.dr[7];
  image.events = events_of(state);
  image.sysenter[0] = state.sysenter_cs;
  image.sysenter[1] = state.sysenter_esp;
  image.sysenter[2] = state.sysenter_eip;
  image.tsc_aux = state.tsc_aux;
  return image;
}

void take_registers(const kvm_regs& regs, VcpuState& state) {
  kvm_regs from = regs;
  for (unsigned i = 0; i < 16; ++i) state.gpr[i] = *register_in(from, i);
  state.rip = regs.rip;
  state.rflags = regs.rflags;
}

void take_image(const StateImage& image, VcpuState& state) {
  take_registers(image.regs, state);
  take_sregs(image.sregs, state);
  u8 mask[4];
  std::memcpy(mask, state.fx.bytes + kMxcsrMaskAt, sizeof mask);
  std::memcpy(state.fx.bytes, image.xsave.region, kFxUsed);
  std::memcpy(state.fx.bytes + kMxcsrMaskAt, mask, sizeof mask);
  for (unsigned i = 0; i < 4; ++i) state.dr[i] = image.debug.db[i];
  state.dr[6] = image.debug.dr6;
  state.dr[7] = image.debug.dr7;
  take_events(image.events, state);
  state.sysenter_cs = image.sysenter[0];
  state.sysenter_esp = image.sysenter[1];
  state.sysenter_eip = image.sysenter[2];
  state.tsc_aux = image.tsc_aux;
}

}  // namespace ringshift
