// The instruction at CS:EIP, looked at before the interpreter executes it; and the one behind EIP.
#pragma once

#include <optional>

#include "cpu-model/cpu.h"
#include "cpu-model/instruction.h"
#include "direct-exec/selector_aliases.h"

namespace ringshift {

// None if it can't be fetched or decoded: the interpreter will raise why.
std::optional<Instruction> next_instruction(Cpu& cpu, const Decoder& decoder);

// Whether it may read or write x87, MMX or SSE state.
bool uses_fpu(const Instruction& insn);

// MOV or POP of an alias to a segment register, which the interpreter takes at its guest's meaning: the
// alias was read from a segment register when the guest ran directly. Executes it; false if it is none.
bool load_alias(Cpu& cpu, const Instruction& insn, const SelectorAliases& aliases);

// Whether the bytes behind EIP are these.
bool behind(Cpu& cpu, u8 first, u8 second);
// A protection fault at EIP was INTO's trap, or INT 4's: EIP is behind it, by this many bytes; else 0. The
// host's kernel doesn't tell one from the other.
u32 behind_overflow_trap(Cpu& cpu, const Decoder& decoder);

}  // namespace ringshift
