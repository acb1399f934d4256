// SensitiveKind: instructions that tell or change privileged state, and needn't trap at CPL 3 (Robin and
// Irvine, "Analysis of the Intel Pentium's Ability to Support a Secure Virtual Machine Monitor", 2000).
#pragma once

#include <optional>
#include <string>

#include "cpu-model/cpu.h"
#include "cpu-model/instruction.h"

namespace ringshift {

enum class SensitiveKind : u8 {
  push_flags,    // PUSHF: the pushed image
  load_flags,    // POPF: the flags afterwards
  table,         // SGDT, SIDT: limit and base in memory
  store,         // SLDT, STR, SMSW, MOV from a segment register: a register or memory
  probe,         // LAR, LSL, VERR, VERW: ZF and a register
  push_segment,  // PUSH CS and the like: the pushed selector
  load_segment,  // MOV and POP to a segment register: the selector
  transfer,      // far CALL, JMP, RET; IRET; INT n; SYSENTER and SYSEXIT: CS:EIP
  cpuid,
};

std::optional<SensitiveKind> sensitive_kind(const Instruction& insn);

// What a person compares, after the instruction: in words, with the value. `before`: the registers at it.
std::string observed_value(Cpu& cpu, const Instruction& insn, SensitiveKind kind, const VcpuState& before);

// "mov eax, ds"
std::string instruction_text(const Instruction& insn, u32 eip);

}  // namespace ringshift
