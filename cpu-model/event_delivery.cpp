// The common course of a delivery: trace, the mode's own way, the EXT bit, and what ends with it.
#include "cpu-model/event_delivery.h"

namespace ringshift {

namespace {

bool selector_error_code(Vector vector) {
  return vector == Vector::invalid_tss || vector == Vector::segment_not_present ||
         vector == Vector::stack_fault || vector == Vector::general_protection;
}

std::string_view kind_name(EventKind kind) {
  switch (kind) {
    case EventKind::fault:
      return "fault";
    case EventKind::trap:
      return "trap";
    case EventKind::software:
      return "software";
    case EventKind::external:
      return "external";
  }
  return "";
}

void trace_event(Cpu& cpu, const Event& event) {
  const VcpuState& state = cpu.state;
  cpu.trace.write(
      "int: v={:02x} e={:04x} {} cpl={} pc={:04x}:{:08x} sp={:04x}:{:08x} cr2={:08x} eax={:08x}\n",
      event.vector, event.error_code, kind_name(event.kind), state.cpl, state.segment(Seg::cs).selector,
      state.eip(), state.segment(Seg::ss).selector, state.reg32(kEsp), static_cast<u32>(state.cr2),
      state.reg32(kEax));
}

}  // namespace

Outcome<> deliver_event(Cpu& cpu, const Event& event) {
  if (cpu.trace.on(TracePoint::interrupts)) trace_event(cpu, event);
  if (cpu.delivery_hook != nullptr) return cpu.delivery_hook->deliver(event);
  const Outcome<> done =
      cpu.protected_mode() ? deliver_through_idt(cpu, event) : deliver_real_mode(cpu, event.vector);
  if (!done) {
    // EXT tells the handler that the program did not ask for the event (SDM 3A 6.13).
    Fault fault = done.error();
    if (event.external && selector_error_code(fault.vector)) fault.error_code |= 1;
    return raise(fault);
  }
  cpu.state.halted = 0;
  cpu.state.interrupt_shadow = 0;
  ++cpu.delivered[event.vector];
  return {};
}

}  // namespace ringshift
