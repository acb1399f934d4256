// JMP and CALL through a call gate (SDM vol. 3A 5.8.2 to 5.8.5).
#pragma once

#include "cpu-model/segmentation.h"

namespace ringshift {

Outcome<> jump_through_gate(Cpu& cpu, u16 selector, const Descriptor& gate);
Outcome<> call_through_gate(Cpu& cpu, u16 selector, const Descriptor& gate);

}  // namespace ringshift
