// Bounce frames, upcalls and HYPERVISOR_iret (Xen's arch/x86/x86_64/compat/entry.S and compat/traps.c).
#include "paravirt/traps.h"

#include "cpu-model/stack_frame.h"
#include "paravirt/hypervisor_space.h"

namespace ringshift::xen {

// A code segment as IRET from ring 0 would load it, at the selector's own level (SDM vol. 2A IRET): ring 0's
// rights don't count, the guest's do.
Outcome<SegmentRegister> Traps::entered_code(u16 selector) {
  if (is_null_selector(selector)) return raise(Fault::gp());
  Descriptor descriptor = RS_TRY(read_descriptor(cpu_, selector));
  const u8 level = requested_level(selector);
  const bool allowed = descriptor.conforming() ? descriptor.dpl() <= level : descriptor.dpl() == level;
  if (!descriptor.code() || !allowed) return raise(Fault::gp(selector_error(selector)));
  if (!descriptor.present()) return raise(Fault::np(selector_error(selector)));
  RS_TRY(set_accessed(cpu_, selector, descriptor));
  const SegmentRegister code = segment_from(selector, descriptor);
  memo_.remember(cpu_, Use::return_code, selector, level, code);
  return code;
}

Outcome<SegmentRegister> Traps::entered_stack(u16 selector, u8 level, Vector vector) {
  const SegmentRegister stack = RS_TRY(stack_segment(cpu_, selector, level, vector));
  memo_.remember(cpu_, Use::return_stack, selector, level, stack);
  return stack;
}

void Traps::enter(const Entry& to, const SegmentRegister& code) {
  cpu_.state.rflags = flags_at_entry();
  commit_code(cpu_, code, to.eip);
  if (to.masks) info_.set_masked(true);
  cpu_.state.halted = 0;
  cpu_.state.interrupt_shadow = 0;
}

// False if the frame can't be made: nothing but memory below the kernel's stack pointer has changed.
bool Traps::bounce(const Entry& to, std::optional<u32> error_code, bool resume) {
  VcpuState& state = cpu_.state;
  const auto code = entered_code(to.cs);
  if (!code || requested_level(to.cs) != kKernelLevel || to.eip > code->limit) return false;
  SegmentRegister stack = state.segment(Seg::ss);
  u32 esp = state.reg32(kEsp);
  const bool inward = !in_kernel();
  if (inward) {
    const auto kernel = entered_stack(kernel_ss_, kKernelLevel, Vector::invalid_tss);
    if (!kernel) return false;
    stack = *kernel;
    esp = kernel_esp_;
  }
  StackFrame frame(stack, esp, kKernelLevel, Fault::ss());
  const auto push = [&](u32 value) { return frame.push(cpu_, value, 4).has_value(); };
  if (inward && (!push(state.segment(Seg::ss).selector) || !push(state.reg32(kEsp)))) return false;
  const u32 mask = info_.masked() ? 1 : 0;
  if (!push(saved_flags(resume)) || !push(state.segment(Seg::cs).selector | mask << kMaskShift) ||
      !push(state.eip()))
    return false;
  if (error_code && !push(*error_code)) return false;
  state.segment(Seg::ss) = stack;
  state.set_reg32(kEsp, frame.esp());
  enter(to, *code);
  return true;
}

void Traps::inject(u8 vector, std::optional<u32> error_code, bool resume) {
  const Entry& gate = gates_[vector];
  if (gate.eip == 0)
    return end_.crash("exception {} (error code {:#x}) without a handler in the trap table", vector,
                      error_code.value_or(0));
  if (!bounce(gate, error_code, resume))
    return end_.crash("exception {}: no frame can be made for its handler at {:04x}:{:08x}", vector, gate.cs,
                      gate.eip);
  ++cpu_.delivered[vector];
  check_upcall();
}

void Traps::upcall() {
  if (event_callback.eip == 0) return end_.crash("an event came without an event callback");
  if (!bounce(event_callback, std::nullopt, false))
    end_.crash("no frame can be made for the event callback at {:04x}:{:08x}", event_callback.cs,
               event_callback.eip);
}

// The failsafe callback: the guest's segments or its return frame can't be loaded. The frame has DS, ES, FS
// and GS on top.
void Traps::failsafe(const Frame& bad) {
  if (failsafe_callback.eip == 0)
    return end_.crash("return to {:04x}:{:08x}, which can't be loaded, without a failsafe callback", bad.cs,
                      bad.eip);
  const auto code = entered_code(failsafe_callback.cs);
  const auto kernel = entered_stack(kernel_ss_, kKernelLevel, Vector::invalid_tss);
  bool done = code.has_value() && kernel.has_value() && requested_level(failsafe_callback.cs) == kKernelLevel;
  if (done) {
    StackFrame frame(*kernel, kernel_esp_, kKernelLevel, Fault::ss());
    const u32 mask = info_.masked() ? 1 : 0;
    const VcpuState& state = cpu_.state;
    for (const u32 value :
         {bad.ss & 0xffff, bad.esp, saved_flags(false), (bad.cs & 0xffff) | mask << kMaskShift, bad.eip,
          u32{state.segment(Seg::gs).selector}, u32{state.segment(Seg::fs).selector},
          u32{state.segment(Seg::es).selector}, u32{state.segment(Seg::ds).selector}})
      done = done && frame.push(cpu_, value, 4).has_value();
    if (done) {
      cpu_.state.segment(Seg::ss) = *kernel;
      cpu_.state.set_reg32(kEsp, frame.esp());
      enter(failsafe_callback, *code);
    }
  }
  if (!done) end_.crash("no frame can be made for the failsafe callback");
}

// False if CS or SS can't be loaded; then nothing has changed.
bool Traps::enter_level(u16 cs, u32 eip, const Frame& frame) {
  const auto code = entered_code(cs);
  if (!code || eip > code->limit) return false;
  VcpuState& state = cpu_.state;
  if (requested_level(cs) == kKernelLevel) {
    state.set_reg32(kEsp, state.reg32(kEsp) + 16);
  } else {
    const auto stack =
        entered_stack(static_cast<u16>(frame.ss), requested_level(cs), Vector::general_protection);
    if (!stack) return false;
    state.segment(Seg::ss) = *stack;
    state.set_reg32(kEsp, frame.esp);
  }
  commit_code(cpu_, *code, eip);
  drop_inaccessible_segments(cpu_);
  return true;
}

void Traps::iret() {
  VcpuState& state = cpu_.state;
  Frame frame{};
  const auto read = [&](unsigned index, u32& to) {
    const auto value = read_memory<u32>(cpu_, Seg::ss, state.reg32(kEsp) + index * 4);
    if (value) to = *value;
    return value.has_value();
  };
  if (!read(0, frame.eax) || !read(1, frame.eip) || !read(2, frame.cs) || !read(3, frame.flags))
    return end_.crash("HYPERVISOR_iret: no frame at esp {:08x}", state.reg32(kEsp));
  const auto cs = static_cast<u16>(frame.cs);
  const u8 level = requested_level(cs);
  if (level == 0 || (frame.flags & kFlagVm) != 0)
    return end_.crash(
        "HYPERVISOR_iret to {:04x}:{:08x}, flags {:08x}: neither ring 0 nor v8086 mode is there", cs,
        frame.eip, frame.flags);
  if (level != kKernelLevel && (!read(4, frame.esp) || !read(5, frame.ss)))
    return end_.crash("HYPERVISOR_iret: no stack pointer at esp {:08x}", state.reg32(kEsp));
  if (architectural_iopl) iopl = (frame.flags >> kIoplShift) & 3;
  const u32 flags = flags_of(frame);
  const u32 old = state.eflags();
  info_.set_masked((frame.flags & kFlagIf) == 0);
  state.set_reg32(kEax, frame.eax);
  state.rflags = flags;
  if (!enter_level(cs, frame.eip, frame)) failsafe(frame);
  if ((flags & ~old & kFlagTf) != 0) cpu_.control.raise_event(kEventInspect);
}

}  // namespace ringshift::xen
