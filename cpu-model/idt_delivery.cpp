// Delivery through the gates of the protected-mode IDT (SDM vol. 3A 6.11, 6.12; vol. 2A INT n).
#include "cpu-model/event_delivery.h"
#include "cpu-model/stack_frame.h"
#include "cpu-model/task_switch_steps.h"
#include "cpu-model/transfer_segments.h"

namespace ringshift {

namespace {

// Bit 1 of an error code says that it names an IDT entry.
u32 idt_error(u8 vector) { return vector * 8u + 2; }

Outcome<Descriptor> read_gate(Cpu& cpu, const Event& event) {
  const u32 error = idt_error(event.vector);
  const DescriptorTable& idt = cpu.state.idtr;
  if (event.vector * 8u + 7 > idt.limit) return raise(Fault::gp(error));
  const Gva at = static_cast<Gva>(idt.base) + event.vector * 8u;
  const u64 raw = RS_TRY(read_system<u64>(cpu, at));
  const Descriptor gate{static_cast<u32>(raw), static_cast<u32>(raw >> 32)};
  const u8 type = gate.type();
  const bool known = type == kTypeTaskGate || type == kTypeInterruptGate16 || type == kTypeTrapGate16 ||
                     type == kTypeInterruptGate32 || type == kTypeTrapGate32;
  if (!gate.system() || !known) return raise(Fault::gp(error));
  if (event.checks_gate && gate.dpl() < cpu.state.cpl) return raise(Fault::gp(error));
  if (!gate.present()) return raise(Fault::np(error));
  return gate;
}

struct GateForm {
  unsigned size;        // of the frame's slots
  bool interrupt_gate;  // clears IF
  u32 offset;
};

GateForm form_of(const Descriptor& gate) {
  const bool wide = (gate.type() & 8) != 0;
  return {wide ? 4u : 2u, (gate.type() & 1) == 0, wide ? gate.gate_offset() : gate.gate_offset() & 0xffff};
}

u32 saved_flags(const Cpu& cpu, const Event& event) {
  return cpu.state.eflags() | (event.resume ? kFlagRf : 0);
}

void clear_flags(Cpu& cpu, bool interrupt_gate) {
  u32 cleared = kFlagTf | kFlagNt | kFlagRf | kFlagVm;
  if (interrupt_gate) cleared |= kFlagIf;
  cpu.state.rflags &= ~u64{cleared};
}

Outcome<> push_return(Cpu& cpu, StackFrame& frame, const Event& event, unsigned size) {
  RS_TRY(frame.push(cpu, saved_flags(cpu, event), size));
  RS_TRY(frame.push(cpu, cpu.state.segment(Seg::cs).selector, size));
  RS_TRY(frame.push(cpu, cpu.state.eip(), size));
  if (event.has_error_code) RS_TRY(frame.push(cpu, event.error_code, size));
  return {};
}

Outcome<> deliver_same_level(Cpu& cpu, const Event& event, const GateForm& form,
                             const SegmentRegister& code) {
  StackFrame frame = StackFrame::current(cpu);
  RS_TRY(push_return(cpu, frame, event, form.size));
  if (form.offset > code.limit) return raise(Fault::gp());
  cpu.state.set_reg32(kEsp, frame.esp());
  commit_code(cpu, code, form.offset);
  clear_flags(cpu, form.interrupt_gate);
  return {};
}

Outcome<> deliver_inner(Cpu& cpu, const Event& event, const GateForm& form, const SegmentRegister& code) {
  const u8 level = requested_level(code.selector);
  const InnerStack inner = RS_TRY(inner_stack(cpu, level));
  const SegmentRegister stack = RS_TRY(stack_segment(cpu, inner.ss, level, Vector::invalid_tss));
  StackFrame frame(stack, inner.esp, level, Fault::ss(selector_error(inner.ss)));
  const bool from_v86 = cpu.v86();
  if (from_v86) {
    for (Seg s : {Seg::gs, Seg::fs, Seg::ds, Seg::es})
      RS_TRY(frame.push(cpu, cpu.state.segment(s).selector, form.size));
  }
  RS_TRY(frame.push(cpu, cpu.state.segment(Seg::ss).selector, form.size));
  RS_TRY(frame.push(cpu, cpu.state.reg32(kEsp), form.size));
  RS_TRY(push_return(cpu, frame, event, form.size));
  if (form.offset > code.limit) return raise(Fault::gp());

  cpu.state.segment(Seg::ss) = stack;
  cpu.state.set_reg32(kEsp, frame.esp());
  commit_code(cpu, code, form.offset);
  clear_flags(cpu, form.interrupt_gate);
  if (from_v86) {
    for (Seg s : {Seg::gs, Seg::fs, Seg::ds, Seg::es}) cpu.state.segment(s) = unusable_segment();
  }
  return {};
}

}  // namespace

Outcome<> deliver_through_task_gate(Cpu& cpu, const Event& event, u16 selector) {
  const Descriptor tss = RS_TRY(task_descriptor(cpu, selector, false, Vector::general_protection));
  const TaskState task =
      RS_TRY(begin_task_switch(cpu, selector, tss, TaskSwitchCause::interrupt, saved_flags(cpu, event)));
  const auto error = event.has_error_code ? std::optional<u32>(event.error_code) : std::optional<u32>();
  const Outcome<> done = complete_task_switch(cpu, tss, task, error);
  if (done || event.kind != EventKind::software) return done;
  // INT n has ended with the switch: there is no instruction for its caller to put EIP back to.
  deliver_fault(cpu, done.error());
  return {};
}

Outcome<> deliver_through_idt(Cpu& cpu, const Event& event) {
  const Descriptor gate = RS_TRY(read_gate(cpu, event));
  const u16 selector = gate.gate_selector();
  if (gate.type() == kTypeTaskGate) return deliver_through_task_gate(cpu, event, selector);

  const Descriptor target = RS_TRY(gate_code_descriptor(cpu, selector));
  const bool inner = !target.conforming() && target.dpl() < cpu.state.cpl;
  // Out of v8086 mode only to level 0 (SDM 3B 20.3.1).
  if (cpu.v86() && (!inner || target.dpl() != 0)) return raise(Fault::gp(selector_error(selector)));
  const u8 level = inner ? target.dpl() : cpu.state.cpl;
  const SegmentRegister code = RS_TRY(gate_code_register(cpu, selector, target, level));
  const GateForm form = form_of(gate);
  return inner ? deliver_inner(cpu, event, form, code) : deliver_same_level(cpu, event, form, code);
}

}  // namespace ringshift
