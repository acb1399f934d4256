// Treatment: how the translator handles a guest instruction. The allow-list: what isn't named is interpreted.
#pragma once

#include "cpu-model/instruction.h"
#include "translator/mode_key.h"

namespace ringshift::bt {

enum class Treatment : u8 {
  interpret_last,  // leave the cache, let interp execute it, look up what follows
  interpret,       // let interp execute it, and go on in the block if nothing speaks against it
  identity,        // copy; a memory operand goes through the mode's way to memory
  nothing,         // a NOP in all its lengths, prefetches
  short_incdec,    // 40-4F are REX in 64-bit mode
  moffs,           // A0-A3: a 64-bit address in 64-bit mode
  lea,
  bit_string,  // BT family with a register index into memory
  push,
  pop,
  push_all,  // PUSHAD
  pop_all,   // POPAD
  leave,
  string,      // a single MOVS, CMPS, STOS, LODS, SCAS, without REP
  rep_string,  // MOVS, CMPS, STOS, SCAS with REP
  clear_if,    // CLI
  set_if,      // STI: a block ends after the instruction that follows it
  push_flags,
  pop_flags,
  push_segment,
  load_segment,  // MOV and POP to ES, DS, FS, GS
  read_tsc,      // RDTSC, RDTSCP
  port,          // IN and OUT: to the device, where IOPL allows it
  cpuid,
  software_interrupt,  // INT n, where a paravirtual interface takes it
  read_control,        // MOV from CR0, CR2, CR3, CR4
  direction,           // CLD and STD: the direction is part of the mode
                       // Those that end a block:
  jump,
  jump_if,
  jump_counter,  // JECXZ, LOOP..
  call,
  jump_indirect,
  call_indirect,
  ret,
  sysenter,
  sysexit,
  interrupt_return,  // IRETD
  write_cr0,         // MOV to CR0, CLTS
};

// Independent of the mode: segments' shapes and FPU availability are looked at when the block is emitted.
Treatment treatment_of(const Instruction& insn);

constexpr bool ends_block(Treatment treatment) {
  return treatment == Treatment::interpret_last || treatment >= Treatment::jump;
}

// Whether the instruction uses x87, MMX or SSE state (the interpreter then needs it in VcpuState::fx).
bool uses_fpu_state(const Instruction& insn);
bool uses_sse(const Instruction& insn);
// Of the memory operand; 0: there is none.
u32 bytes_of_memory(const Instruction& insn);
// Whether an explicit operand is AH, CH, DH or BH.
bool names_high_byte(const Instruction& insn);

}  // namespace ringshift::bt
