// The families of translations: each emits one guest instruction of its Treatment.
#pragma once

#include "translator/emitter.h"
#include "translator/guest_block.h"
#include "translator/treatment.h"

namespace ringshift::bt {

// Data processing (translate_data.cpp).
void translate_identity(Emitter& emitter, const GuestInstruction& guest);
void translate_short_incdec(Emitter& emitter, const GuestInstruction& guest);
void translate_moffs(Emitter& emitter, const GuestInstruction& guest);
void translate_lea(Emitter& emitter, const GuestInstruction& guest);
void translate_bit_string(Emitter& emitter, const GuestInstruction& guest);

// Strings without REP (translate_string.cpp).
void translate_string(Emitter& emitter, const GuestInstruction& guest);

// The stack (translate_stack.cpp).
void translate_push(Emitter& emitter, const GuestInstruction& guest);
void translate_pop(Emitter& emitter, const GuestInstruction& guest);
void translate_leave(Emitter& emitter, const GuestInstruction& guest);
// Pushes the 32-bit value in `value` (not r8-r10), or an immediate.
void push_register(Emitter& emitter, asmjit::x86::Gp value);
void push_immediate(Emitter& emitter, u32 value);

// Block ends (translate_branch.cpp).
void translate_branch(Emitter& emitter, const GuestInstruction& guest, Treatment treatment,
                      TranslationBlock& block);

// After an instruction was emitted: whether what r12 holds still counts.
void settle_flags(Emitter& emitter, const Instruction& insn);
// Before an instruction that reads flags, or overwrites only some of them, while others may live.
void prepare_flags(Emitter& emitter, const Instruction& insn);

}  // namespace ringshift::bt
