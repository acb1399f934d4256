// JMP and CALL through a call gate (SDM vol. 3A 5.8.2 to 5.8.5).
#include "cpu-model/call_gate.h"

#include "cpu-model/stack_frame.h"
#include "cpu-model/task_switch.h"
#include "cpu-model/transfer_segments.h"

namespace ringshift {

namespace {

struct GateTarget {
  u16 selector;
  Descriptor descriptor;
  u32 offset;
  unsigned size;
};

Outcome<GateTarget> gate_target(Cpu& cpu, u16 selector, const Descriptor& gate) {
  if (gate.dpl() < cpu.state.cpl || gate.dpl() < requested_level(selector))
    return raise(Fault::gp(selector_error(selector)));
  if (!gate.present()) return raise(Fault::np(selector_error(selector)));
  const bool wide = gate.type() == kTypeCallGate32;
  const u16 code = gate.gate_selector();
  return GateTarget{code, RS_TRY(gate_code_descriptor(cpu, code)),
                    wide ? gate.gate_offset() : gate.gate_offset() & 0xffff, wide ? 4u : 2u};
}

Outcome<> call_same_level(Cpu& cpu, const GateTarget& target) {
  const SegmentRegister code =
      RS_TRY(gate_code_register(cpu, target.selector, target.descriptor, cpu.state.cpl));
  StackFrame frame = StackFrame::current(cpu);
  RS_TRY(frame.push(cpu, cpu.state.segment(Seg::cs).selector, target.size));
  RS_TRY(frame.push(cpu, cpu.state.eip(), target.size));
  if (target.offset > code.limit) return raise(Fault::gp());
  cpu.state.set_reg32(kEsp, frame.esp());
  commit_code(cpu, code, target.offset);
  return {};
}

// The caller's parameters, read at its own privilege, go onto the new stack in the same order.
Outcome<> copy_parameters(Cpu& cpu, StackFrame& frame, unsigned count, unsigned size) {
  u32 parameters[32];
  StackReader caller(cpu);
  for (unsigned i = 0; i < count; ++i) parameters[i] = RS_TRY(caller.pop(cpu, size));
  while (count > 0) RS_TRY(frame.push(cpu, parameters[--count], size));
  return {};
}

Outcome<> call_inner(Cpu& cpu, const GateTarget& target, unsigned parameters) {
  const u8 level = target.descriptor.dpl();
  const InnerStack inner = RS_TRY(inner_stack(cpu, level));
  const SegmentRegister stack = RS_TRY(stack_segment(cpu, inner.ss, level, Vector::invalid_tss));
  const SegmentRegister code = RS_TRY(gate_code_register(cpu, target.selector, target.descriptor, level));
  StackFrame frame(stack, inner.esp, level, Fault::ss(selector_error(inner.ss)));
  RS_TRY(frame.push(cpu, cpu.state.segment(Seg::ss).selector, target.size));
  RS_TRY(frame.push(cpu, cpu.state.reg32(kEsp), target.size));
  RS_TRY(copy_parameters(cpu, frame, parameters, target.size));
  RS_TRY(frame.push(cpu, cpu.state.segment(Seg::cs).selector, target.size));
  RS_TRY(frame.push(cpu, cpu.state.eip(), target.size));
  if (target.offset > code.limit) return raise(Fault::gp());
  cpu.state.segment(Seg::ss) = stack;
  cpu.state.set_reg32(kEsp, frame.esp());
  commit_code(cpu, code, target.offset);
  return {};
}

}  // namespace

Outcome<> jump_through_gate(Cpu& cpu, u16 selector, const Descriptor& gate) {
  const GateTarget target = RS_TRY(gate_target(cpu, selector, gate));
  if (!target.descriptor.conforming() && target.descriptor.dpl() != cpu.state.cpl)
    return raise(Fault::gp(selector_error(target.selector)));
  const SegmentRegister code =
      RS_TRY(gate_code_register(cpu, target.selector, target.descriptor, cpu.state.cpl));
  if (target.offset > code.limit) return raise(Fault::gp());
  commit_code(cpu, code, target.offset);
  return {};
}

Outcome<> call_through_gate(Cpu& cpu, u16 selector, const Descriptor& gate) {
  const GateTarget target = RS_TRY(gate_target(cpu, selector, gate));
  if (target.descriptor.conforming() || target.descriptor.dpl() == cpu.state.cpl)
    return call_same_level(cpu, target);
  return call_inner(cpu, target, gate.gate_parameters());
}

}  // namespace ringshift
