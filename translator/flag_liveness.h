// Flag liveness: before which instructions of a block the arithmetic flags may be clobbered.
#pragma once

#include "translator/guest_block.h"

namespace ringshift::bt {

// Sets GuestInstruction::flags_live; at the end of the block every flag counts as live.
void mark_flag_liveness(GuestBlock& block);

// The arithmetic flags that the instruction overwrites for certain, whatever its operands are.
u32 flags_overwritten(const Instruction& insn);

}  // namespace ringshift::bt
