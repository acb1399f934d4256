// Live operands: immediates, displacements and branch distances that the guest patches again and again.
//
// Translated code loads such an operand from the guest's code bytes when it executes the instruction, as if
// it were data. A store to it then changes what the instruction does, at once, and no block need be dropped.
#pragma once

#include "translator/guest_block.h"
#include "translator/treatment.h"

namespace ringshift::bt {

enum OperandField : u8 { kLiveImmediate = 1, kLiveDisplacement = 2 };

// Of an instruction: the fields that are read in place (OperandField), and its bytes in the guest's RAM.
struct LiveFields {
  const u8* bytes = nullptr;
  u8 fields = 0;
};

// Where a field stands in the instruction's bytes; bytes == 0: there is none. A relative branch's distance is
// an immediate.
struct FieldPlace {
  u8 offset = 0;
  u8 bytes = 0;
};
FieldPlace place_of(const Instruction& insn, OperandField field);

// Marks the operands of the block-to-be that have changed since `before` was made of the same place, if this
// has happened often enough, and those that were live in it.
void mark_live_operands(GuestBlock& guest, const TranslationBlock& before);

// Those of the instruction's live fields that its treatment can read where they stand.
u8 readable_fields(const GuestInstruction& guest, Treatment treatment);

}  // namespace ringshift::bt
