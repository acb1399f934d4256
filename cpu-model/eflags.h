// EFLAGS as PUSHF, POPF, CLI and STI see them: IOPL, v8086, VME and PVI rules.
#pragma once

#include "cpu-model/cpu.h"

namespace ringshift {

// The image that PUSHF stores (VM and RF clear); #GP in v8086 mode with IOPL < 3 (VME aside).
Outcome<u32> flags_for_push(const Cpu& cpu, unsigned operand_size);
// POPF's effect: which bits change depends on CPL, IOPL and mode. Sets kEventInspect when IF or TF got set.
Outcome<> flags_from_pop(Cpu& cpu, u32 image, unsigned operand_size);
Outcome<> clear_interrupt_flag(Cpu& cpu);
// Sets the STI shadow when IF was clear.
Outcome<> set_interrupt_flag(Cpu& cpu);

// Whether the current code may use these ports: CPL <= IOPL, else the TSS's I/O bitmap (SDM vol. 1 19.5.2).
Outcome<> check_port_permission(Cpu& cpu, u16 port, unsigned size);

}  // namespace ringshift
