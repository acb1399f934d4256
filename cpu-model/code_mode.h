// How the code at CS:EIP is to be decoded.
#pragma once

#include "cpu-model/cpu.h"
#include "cpu-model/instruction.h"

namespace ringshift {

inline CodeMode code_mode(const Cpu& cpu) {
  if (cpu.real_segments()) return cpu.code32() ? CodeMode::real32 : CodeMode::real16;
  return cpu.code32() ? CodeMode::protected32 : CodeMode::protected16;
}

}  // namespace ringshift
