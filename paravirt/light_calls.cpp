// Hypercalls and a program's INT n in their usual forms, for translated code, which runs them with the
// guest's x87 and SSE state live (DeliveryHook::light_software): compiled for general registers alone, and
// nothing is called (tools/check-light-object). What is unusual is refused before anything has changed.
#include "paravirt/domain.h"

namespace ringshift::xen {

// bounce() to a kernel stack without limits, whose page can be written to plainly.
bool Traps::light_inject(u8 vector) {
  VcpuState& state = cpu_.state;
  const Entry& gate = gates_[vector];
  const bool inward = !in_kernel();
  const SegmentRegister* const code = known(Use::return_code, gate.cs, kKernelLevel);
  const SegmentRegister* const stack =
      inward ? known(Use::return_stack, kernel_ss_, kKernelLevel) : &state.segment(Seg::ss);
  u8* const mask = info_.plain_mask();
  if (gate.eip == 0 || code == nullptr || stack == nullptr || mask == nullptr || !flat_stack(*stack) ||
      gate.eip > code->limit || info_.upcall_pending())
    return false;
  const u32 words = inward ? 5 : 3;
  const u32 esp = (inward ? kernel_esp_ : state.reg32(kEsp)) - words * 4;
  auto* const frame = reinterpret_cast<u32*>(cpu_.tlb.plain_write(esp, words * 4, false));
  if (frame == nullptr) return false;
  frame[0] = state.eip();
  frame[1] = state.segment(Seg::cs).selector | u32{info_.masked()} << kMaskShift;
  frame[2] = saved_flags(false);
  if (inward) {
    frame[3] = state.reg32(kEsp);
    frame[4] = state.segment(Seg::ss).selector;
    state.segment(Seg::ss) = *stack;
  }
  state.set_reg32(kEsp, esp);
  state.rflags = flags_at_entry();
  commit_code(cpu_, *code, gate.eip);
  if (gate.masks) *mask = 1;
  ++cpu_.delivered[vector];
  return true;
}

// iret() whose frame can be read plainly, to segments loaded before, without single-stepping.
bool Traps::light_iret() {
  VcpuState& state = cpu_.state;
  u8* const mask = info_.plain_mask();
  const u32 esp = state.reg32(kEsp);
  const auto* const stack = reinterpret_cast<const Frame*>(cpu_.tlb.plain_read(esp, sizeof(Frame), false));
  if (stack == nullptr || mask == nullptr || !flat_stack(state.segment(Seg::ss)) || architectural_iopl ||
      info_.upcall_pending())
    return false;
  const Frame frame = *stack;
  const u8 level = requested_level(static_cast<u16>(frame.cs));
  const SegmentRegister* const code = known(Use::return_code, frame.cs, level);
  if (code == nullptr || level == 0 || frame.eip > code->limit || (frame.flags & (kFlagVm | kFlagTf)) != 0 ||
      !keeps_data_segments(state, level))
    return false;
  if (level == kKernelLevel) {
    state.set_reg32(kEsp, esp + 16);
  } else {
    const SegmentRegister* const ss = known(Use::return_stack, frame.ss, level);
    if (ss == nullptr) return false;
    state.segment(Seg::ss) = *ss;
    state.set_reg32(kEsp, frame.esp);
  }
  *mask = (frame.flags & kFlagIf) == 0 ? 1 : 0;
  state.set_reg32(kEax, frame.eax);
  state.rflags = flags_of(frame);
  commit_code(cpu_, *code, frame.eip);
  return true;
}

DeliveryHook::Light Domain::light_hypercall() {
  VcpuState& state = cpu.state;
  const u32 number = state.reg32(kEax);
  const u32 first = state.reg32(kEbx);
  i32 result = 0;
  Light done = Light::next;
  switch (number) {
    case __HYPERVISOR_xen_version:
      if (first != XENVER_version) return Light::refused;
      result = kXenVersion;
      break;
    case __HYPERVISOR_stack_switch:
      traps.set_kernel_stack(first, state.reg32(kEcx));
      break;
    case __HYPERVISOR_sched_op:
      if (first != SCHEDOP_yield) return Light::refused;
      break;
    case __HYPERVISOR_iret:
      if (!traps.light_iret()) return Light::refused;
      result = static_cast<i32>(state.reg32(kEax));  // the frame had it
      done = Light::elsewhere;
      break;
    // Not fpu_taskswitch: the hypercall page's RET would be jumped to in two modes by turns, which share one
    // place in the jump table (149 ns instead of 94 for a pair).
    default:
      return Light::refused;
  }
  state.set_reg32(kEax, static_cast<u32>(result));
  hypercalls.note_call(number);
  ++cpu.delivered[kHypercallVector];
  return done;
}

// Events are looked for after each call: with one pending, none is light.
[[gnu::flatten]] DeliveryHook::Light Domain::light_call(DeliveryHook& hook, u8 vector) {
  auto& domain = static_cast<Domain&>(hook);
  if (domain.cpu.trace.on(TracePoint::interrupts)) return Light::refused;
  if (vector != kHypercallVector || !domain.traps.in_kernel())
    return domain.permits_software(vector) && domain.traps.light_inject(vector) ? Light::elsewhere
                                                                                : Light::refused;
  return domain.info.upcall_pending() ? Light::refused : domain.light_hypercall();
}

}  // namespace ringshift::xen
