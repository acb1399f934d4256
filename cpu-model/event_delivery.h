// Event: one exception or interrupt on its way through the IDT, and the steps of its delivery.
//
// Internal to exceptions.h's implementation: callers elsewhere use that header.
#pragma once

#include "cpu-model/exceptions.h"

namespace ringshift {

struct Event {
  u8 vector;
  EventKind kind;
  bool has_error_code = false;
  u32 error_code = 0;
  bool external = true;      // EXT in the error codes of faults met on the way: not an INT n, INT3 or INTO
  bool checks_gate = false;  // INT n, INT3 and INTO need a gate DPL >= CPL
  bool resume = false;       // RF is set in the saved flags (SDM 3B 17.3.1.1)
};

// Delivers by the mode the CPU is in: registers change only if it succeeds, or if a task gate's switch passed
// its commit point. On success ends HLT and the interrupt shadow, and counts the vector.
Outcome<> deliver_event(Cpu& cpu, const Event& event);

// The ways that deliver_event chooses between.
Outcome<> deliver_through_idt(Cpu& cpu, const Event& event);
Outcome<> deliver_real_mode(Cpu& cpu, u8 vector);
Outcome<> deliver_through_task_gate(Cpu& cpu, const Event& event, u16 selector);

// CR4.VME, INT n in v8086 mode: whether the redirection bitmap sends the vector to the 8086 program's own
// handler (SDM 3B 20.3.3); and that delivery.
Outcome<bool> redirected_to_8086(Cpu& cpu, u8 vector);
Outcome<> deliver_to_8086_handler(Cpu& cpu, u8 vector);

}  // namespace ringshift
