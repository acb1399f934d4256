// Random register, memory and floating-point contents, with the values that matter more likely.
#pragma once

#include <array>

#include "tests/differential/flat_machine.h"
#include "tests/differential/random.h"

namespace ringshift::differential {

u32 random_u32(Random& random);
u32 random_mxcsr(Random& random);
u32 random_fcw(Random& random);
void random_registers(Random& random, UserState& state, bool low_arena);
// A consistent x87 state (ES follows the flags and masks) and XMM registers.
void random_fx(Random& random, std::array<u8, 512>& fx);

}  // namespace ringshift::differential
