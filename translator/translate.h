// The families of translations: each emits one guest instruction of its Treatment.
#pragma once

#include "translator/emitter.h"
#include "translator/guest_block.h"
#include "translator/treatment.h"

namespace ringshift::bt {

// The low 1, 2 or 4 bytes of a register.
inline asmjit::x86::Gp sized(const asmjit::x86::Gp& reg, u32 size) {
  using asmjit::x86::Gp;
  return size == 1 ? Gp(reg.r8()) : size == 2 ? Gp(reg.r16()) : Gp(reg.r32());
}

// Data processing (translate_data.cpp).
void translate_identity(Emitter& emitter, const GuestInstruction& guest);
void translate_short_incdec(Emitter& emitter, const GuestInstruction& guest);
void translate_moffs(Emitter& emitter, const GuestInstruction& guest);
void translate_lea(Emitter& emitter, const GuestInstruction& guest);
void translate_bit_string(Emitter& emitter, const GuestInstruction& guest);

// Of the same, those whose immediate is live (translate_live.cpp); and which can be translated so.
bool takes_live_immediate(const Instruction& insn);
void translate_live_immediate(Emitter& emitter, const GuestInstruction& guest);

// Strings without REP (translate_string.cpp).
void translate_string(Emitter& emitter, const GuestInstruction& guest);

// With REP, under a window; `site` for what the host's own can't do. clips: a comparison may be half done
// when the site's instruction is executed.
void translate_rep(Emitter& emitter, const GuestInstruction& guest, InterpretSite* site, bool clips);

// The stack (translate_stack.cpp).
void translate_push(Emitter& emitter, const GuestInstruction& guest);
void translate_pop(Emitter& emitter, const GuestInstruction& guest);
void translate_push_all(Emitter& emitter);
void translate_pop_all(Emitter& emitter);
void translate_leave(Emitter& emitter, const GuestInstruction& guest);
void translate_push_flags(Emitter& emitter, const GuestInstruction& guest);
void translate_push_segment(Emitter& emitter, const GuestInstruction& guest);
// The host operand of the 2 or 4 bytes on top of the stack.
asmjit::x86::Mem stack_top(Emitter& emitter, u32 size);
// Pushes `size` bytes, 2 or 4, of `value` (not r8-r10), or of an immediate.
void push_register(Emitter& emitter, asmjit::x86::Gp value, u32 size);
void push_immediate(Emitter& emitter, u32 value, u32 size);
// An EIP, which relocatable code doesn't know beforehand. r11 stays.
void push_eip(Emitter& emitter, u32 eip, u32 size);
// ss:[(e)sp + displacement], as an instruction's memory operand.
Instruction stack_slot(const Emitter& emitter, i32 displacement);
// (E)SP = `from` (kEsp, kEbp) + by; clobbers r9.
void move_stack_pointer(Emitter& emitter, u8 from, i32 by);

// CLI, STI and POPFD at CPL 0 (translate_flags.cpp); `site` for a POPFD that changes more than IF and the
// arithmetic flags.
void translate_pop_flags(Emitter& emitter, const GuestInstruction& guest, InterpretSite* site);
void translate_clear_if(Emitter& emitter);
void translate_set_if(Emitter& emitter);

// RDTSC and RDTSCP by the host's (translate_tsc.cpp).
void translate_read_tsc(Emitter& emitter, const GuestInstruction& guest);

// Segment loads, SYSENTER, SYSEXIT, IRETD, MOV to CR0, CLTS, CPUID and INT n by light helpers; MOV from
// control registers; ports (translate_transition.cpp).
void translate_load_segment(Emitter& emitter, const GuestInstruction& guest, InterpretSite* site);
void translate_write_cr0(Emitter& emitter, const GuestInstruction& guest, InterpretSite* site);
void translate_read_control(Emitter& emitter, const GuestInstruction& guest);
void translate_cpuid(Emitter& emitter, InterpretSite* site);
void translate_software_interrupt(Emitter& emitter, const GuestInstruction& guest, InterpretSite* site);
void translate_port(Emitter& emitter, const GuestInstruction& guest, InterpretSite* site);
void translate_transition(Emitter& emitter, Treatment treatment, InterpretSite* site);

// Block ends (translate_branch.cpp). First what CALL and RET do to the stack; RET leaves its target in r8d.
void translate_stack_of_branch(Emitter& emitter, const GuestInstruction& guest, Treatment treatment);
void translate_branch(Emitter& emitter, const GuestInstruction& guest, Treatment treatment,
                      TranslationBlock& block);

}  // namespace ringshift::bt
