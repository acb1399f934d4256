// Operand access: what a handler reads and writes, wherever the instruction says that it is.
//
// T says how wide the access is; the operand's own kind says only whether it is a register (numbered as the
// instruction encodes it), memory or an immediate.
#pragma once

#include "cpu-model/cpu.h"
#include "cpu-model/effective_address.h"
#include "cpu-model/instruction.h"
#include "cpu-model/segmentation.h"

namespace ringshift {

template <class T>
T read_register(const VcpuState& state, unsigned reg) {
  if constexpr (sizeof(T) == 1)
    return static_cast<T>(state.reg8(reg));
  else if constexpr (sizeof(T) == 2)
    return static_cast<T>(state.reg16(reg));
  else
    return static_cast<T>(state.reg32(reg));
}
template <class T>
void write_register(VcpuState& state, unsigned reg, T value) {
  if constexpr (sizeof(T) == 1)
    state.set_reg8(reg, static_cast<u8>(value));
  else if constexpr (sizeof(T) == 2)
    state.set_reg16(reg, static_cast<u16>(value));
  else
    state.set_reg32(reg, static_cast<u32>(value));
}

inline bool is_memory(const Instruction& insn, unsigned i) {
  return insn.operands[i].kind == OperandKind::memory;
}

// The memory operand, `extra` bytes further on (wrapping at the address size): T is any plain type.
template <class T>
Outcome<T> read_memory_operand(Cpu& cpu, const Instruction& insn, u32 extra = 0) {
  const u32 mask = insn.address_size == 2 ? 0xffffu : ~0u;
  return read_memory<T>(cpu, insn.segment, (effective_address(cpu.state, insn) + extra) & mask);
}
template <class T>
Outcome<> write_memory_operand(Cpu& cpu, const Instruction& insn, const T& value, u32 extra = 0) {
  const u32 mask = insn.address_size == 2 ? 0xffffu : ~0u;
  return write_memory<T>(cpu, insn.segment, (effective_address(cpu.state, insn) + extra) & mask, value);
}
// Linear address of the memory operand after the segment check for `size` bytes (no paging, no #AC): for
// accesses that go on with read_linear, write_linear and their slow forms of any size.
inline Outcome<Gva> memory_operand_address(Cpu& cpu, const Instruction& insn, u32 size, AccessKind kind) {
  return linear_address(cpu, insn.segment, effective_address(cpu.state, insn), size, kind);
}

// Operand i, whichever of register, memory and immediate it is.
template <class T>
Outcome<T> read_operand(Cpu& cpu, const Instruction& insn, unsigned i) {
  const Operand& operand = insn.operands[i];
  switch (operand.kind) {
    case OperandKind::memory:
      return read_memory_operand<T>(cpu, insn);
    case OperandKind::immediate:
    case OperandKind::relative: {
      const bool second = i > 0 && insn.operands[i - 1].kind == OperandKind::immediate;
      return static_cast<T>(second ? insn.immediate2 : insn.immediate);
    }
    default:
      return read_register<T>(cpu.state, operand.reg & 7);
  }
}
template <class T>
Outcome<> write_operand(Cpu& cpu, const Instruction& insn, unsigned i, T value) {
  if (is_memory(insn, i)) return write_memory_operand<T>(cpu, insn, value);
  write_register<T>(cpu.state, insn.operands[i].reg & 7, value);
  return {};
}

// Read-modify-write of sizeof(T) bytes at offset in segment: change(T old) -> T new. Whatever a write would
// raise is raised before the read. `change` must not fail, and may commit registers and flags.
template <class T, class Change>
Outcome<> modify_memory(Cpu& cpu, Seg segment, u32 offset, Change&& change) {
  const Gva gva = RS_TRY(linear_address(cpu, segment, offset, sizeof(T), AccessKind::write));
  RS_TRY(check_alignment(cpu, gva, sizeof(T)));
  const bool user = cpu.user();
  if (u8* const host = cpu.tlb.plain_write(gva, sizeof(T), user)) [[likely]] {
    T value;
    std::memcpy(&value, host, sizeof(T));
    value = change(value);
    std::memcpy(host, &value, sizeof(T));
    return {};
  }
  RS_TRY(probe_write_slow(cpu, gva, sizeof(T), user));
  const T old = RS_TRY(read_linear<T>(cpu, gva, user));
  return write_linear<T>(cpu, gva, change(old), user);
}

// The same for operand i, register or memory.
template <class T, class Change>
Outcome<> modify_operand(Cpu& cpu, const Instruction& insn, unsigned i, Change&& change) {
  if (is_memory(insn, i))
    return modify_memory<T>(cpu, insn.segment, effective_address(cpu.state, insn), change);
  const unsigned reg = insn.operands[i].reg & 7;
  write_register<T>(cpu.state, reg, change(read_register<T>(cpu.state, reg)));
  return {};
}

// Calls f.template operator()<T>() with T = u8, u16 or u32, by the size of operand i.
template <class F>
Outcome<> by_operand_size(const Instruction& insn, unsigned i, F&& f) {
  switch (insn.operands[i].bytes) {
    case 1:
      return f.template operator()<u8>();
    case 2:
      return f.template operator()<u16>();
    default:
      return f.template operator()<u32>();
  }
}

}  // namespace ringshift
