// What instructions do to the arithmetic flags, for certain.
#pragma once

#include "cpu-model/instruction.h"

namespace ringshift::bt {

// The arithmetic flags that the instruction overwrites, whatever its operands are.
u32 flags_overwritten(const Instruction& insn);

}  // namespace ringshift::bt
