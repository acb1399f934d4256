// Delivery of exceptions and interrupts through the IDT (or the real-mode vector table).
//
// Source: SDM vol. 3A chapter 6; v8086 and VME chapter 20.
#pragma once

#include "cpu-model/cpu.h"

namespace ringshift {

// How the guest came to an IDT vector; decides gate checks, error codes' EXT bit and the saved EIP.
enum class EventKind : u8 {
  fault,     // saved EIP: the instruction that faulted; RF is set in the saved flags
  trap,      // #DB after an instruction: saved EIP is the next instruction
  software,  // INT n, INT3, INTO: gate DPL is checked, saved EIP is the next instruction
  external,  // INTR and NMI
};

// Delivers a fault at the current EIP. A fault during delivery becomes #DF or a triple fault (table 6-5);
// then state.shutdown is set. Never fails otherwise. Sets CR2 for #PF, DR6 for #DB.
void deliver_fault(Cpu& cpu, const Fault& fault);
// Delivers a trap-class #DB with these DR6 bits; EIP is already the next instruction's.
void deliver_debug_trap(Cpu& cpu, u32 dr6_bits);
// INT n, INT3, INTO, with EIP already past the instruction; a fault that it raises is for the caller to pass
// on with EIP put back. In v8086 mode applies IOPL and CR4.VME's redirection bitmap.
enum class SoftwareInterrupt : u8 { int_n, int3, into, int1 };
Outcome<> software_interrupt(Cpu& cpu, u8 vector, SoftwareInterrupt kind);
// Delivers an external interrupt or NMI; leaves HLT.
void deliver_interrupt(Cpu& cpu, u8 vector);
void deliver_nmi(Cpu& cpu);

// True when an external interrupt may be delivered before the next instruction: IF, no shadow.
inline bool interrupts_open(const Cpu& cpu) {
  return (cpu.state.rflags & kFlagIf) != 0 && cpu.state.interrupt_shadow == 0;
}

// Delivers what waits before the next instruction, by priority (SDM vol. 3A table 6-2): pending #DB, NMI,
// INTR. Returns true if something was delivered or the CPU is in shutdown. Ends a HLT when it delivers.
// Needs cpu.io. The engine calls it when control.events, pending_dr6 or nmi_pending ask for it.
bool deliver_pending(Cpu& cpu);

}  // namespace ringshift
