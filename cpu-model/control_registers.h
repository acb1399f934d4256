// MOV to and from control and debug registers, LMSW, CLTS, and what a change of them entails.
//
// Privilege is checked here (#GP at CPL > 0). A write that changes translation flushes through Cpu::flush_*.
#pragma once

#include "cpu-model/cpu.h"
#include "cpu-model/paging.h"

namespace ringshift {

Outcome<u32> read_control_register(Cpu& cpu, unsigned number);
Outcome<> write_control_register(Cpu& cpu, unsigned number, u32 value);
Outcome<> load_machine_status_word(Cpu& cpu, u16 value);
Outcome<> clear_task_switched(Cpu& cpu);
Outcome<u32> read_debug_register(Cpu& cpu, unsigned number);
Outcome<> write_debug_register(Cpu& cpu, unsigned number, u32 value);
Outcome<> invalidate_page(Cpu& cpu, Gva gva);

// Whether any of DR7's breakpoints is enabled.
inline bool breakpoints_armed(const Cpu& cpu) { return (cpu.state.dr[7] & 0xff) != 0; }
// DR6 bits of the enabled breakpoints that match; 0 for none. kind: fetch for instruction breakpoints.
u32 match_breakpoints(const Cpu& cpu, Gva gva, u32 size, AccessKind kind);
// I/O breakpoints (CR4.DE).
u32 match_io_breakpoints(const Cpu& cpu, u16 port, u32 size);

}  // namespace ringshift
