// INT n, INT3, INTO and INT1, with the rules of v8086 mode (SDM vol. 3B 20.2.7, 20.3; vol. 2A INT n).
#include "cpu-model/event_delivery.h"

namespace ringshift {

namespace {

// True when the 8086 program's own handler got it.
Outcome<bool> int_n_in_v86(Cpu& cpu, u8 vector) {
  if ((cpu.state.cr4 & kCr4Vme) != 0 && RS_TRY(redirected_to_8086(cpu, vector))) {
    RS_TRY(deliver_to_8086_handler(cpu, vector));
    return true;
  }
  if (cpu.iopl() < 3) return raise(Fault::gp());
  return false;
}

}  // namespace

Outcome<> software_interrupt(Cpu& cpu, u8 vector, SoftwareInterrupt kind) {
  // Only INT n is sensitive to IOPL; INT3 and INTO always go through the IDT.
  if (cpu.v86() && kind == SoftwareInterrupt::int_n && RS_TRY(int_n_in_v86(cpu, vector))) {
    ++cpu.delivered[vector];
    return {};
  }
  const bool int1 = kind == SoftwareInterrupt::int1;
  return deliver_event(
      cpu, {.vector = vector, .kind = EventKind::software, .external = int1, .checks_gate = !int1});
}

}  // namespace ringshift
