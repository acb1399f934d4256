// The offset part of a memory operand's address.
#pragma once

#include "cpu-model/instruction.h"
#include "cpu-model/vcpu_state.h"

namespace ringshift {

inline u32 effective_address(const VcpuState& state, const Instruction& insn) {
  u32 offset = static_cast<u32>(insn.displacement);
  if (insn.base != kNoRegister) offset += state.reg32(insn.base);
  if (insn.index != kNoRegister) offset += state.reg32(insn.index) * insn.scale;
  return insn.address_size == 2 ? offset & 0xffff : offset;
}

}  // namespace ringshift
