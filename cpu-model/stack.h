// Pushes and pops at SS:(E)SP, for instructions and far transfers.
#pragma once

#include "cpu-model/segmentation.h"

namespace ringshift {

inline u32 stack_mask(const Cpu& cpu) { return cpu.stack32() ? 0xffffffffu : 0xffffu; }
// ESP or SP, by SS.B.
inline u32 stack_pointer(const Cpu& cpu) { return cpu.state.reg32(kEsp) & stack_mask(cpu); }
inline void set_stack_pointer(Cpu& cpu, u32 value) {
  const u32 mask = stack_mask(cpu);
  cpu.state.set_reg32(kEsp, (cpu.state.reg32(kEsp) & ~mask) | (value & mask));
}

// Pushes and pops of operand size 2 or 4 that move (E)SP only when the access succeeded.
inline Outcome<> push(Cpu& cpu, u32 value, unsigned size) {
  const u32 at = (stack_pointer(cpu) - size) & stack_mask(cpu);
  if (size == 4) {
    RS_TRY(write_memory<u32>(cpu, Seg::ss, at, value));
  } else {
    RS_TRY(write_memory<u16>(cpu, Seg::ss, at, static_cast<u16>(value)));
  }
  set_stack_pointer(cpu, at);
  return {};
}
inline Outcome<u32> pop(Cpu& cpu, unsigned size) {
  const u32 at = stack_pointer(cpu);
  const u32 value = size == 4 ? RS_TRY(read_memory<u32>(cpu, Seg::ss, at))
                              : u32{RS_TRY(read_memory<u16>(cpu, Seg::ss, at))};
  set_stack_pointer(cpu, at + size);
  return value;
}

}  // namespace ringshift
