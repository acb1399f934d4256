// Data movement: MOV, MOVZX, MOVSX, LEA, CMOVcc, SETcc, BSWAP, MOVBE, and the instructions that do nothing.
#include <Zydis/Zydis.h>

#include "cpu-model/control_registers.h"
#include "cpu-model/interp/alu.h"
#include "cpu-model/interp/handlers.h"
#include "cpu-model/interp/operands.h"

namespace ringshift {

namespace {

// MOV from a segment register: memory gets 16 bits, a 32-bit register the selector zero-extended.
Outcome<> store_segment(Cpu& cpu, const Instruction& insn) {
  const u16 selector = cpu.state.seg[insn.operands[1].reg % kSegCount].selector;
  if (is_memory(insn, 0)) return write_memory_operand<u16>(cpu, insn, selector);
  if (insn.operand_size == 4) return write_operand<u32>(cpu, insn, 0, selector);
  return write_operand<u16>(cpu, insn, 0, selector);
}

Outcome<> load_segment_register(Cpu& cpu, const Instruction& insn) {
  const Seg segment = static_cast<Seg>(insn.operands[0].reg);
  if (segment == Seg::cs || insn.operands[0].reg >= kSegCount) return raise(Fault::ud());
  const u16 selector = RS_TRY(read_operand<u16>(cpu, insn, 1));
  RS_TRY(load_segment(cpu, segment, selector));
  if (segment == Seg::ss) cpu.state.interrupt_shadow |= kShadowMovSs;
  return {};
}

Outcome<> move_special(Cpu& cpu, const Instruction& insn) {
  const Operand& to = insn.operands[0];
  const Operand& from = insn.operands[1];
  if (to.kind == OperandKind::segment) return load_segment_register(cpu, insn);
  if (from.kind == OperandKind::segment) return store_segment(cpu, insn);
  if (to.kind == OperandKind::control)
    return write_control_register(cpu, to.reg, cpu.state.reg32(from.reg & 7));
  if (to.kind == OperandKind::debug) return write_debug_register(cpu, to.reg, cpu.state.reg32(from.reg & 7));
  const u32 value = from.kind == OperandKind::control ? RS_TRY(read_control_register(cpu, from.reg))
                                                      : RS_TRY(read_debug_register(cpu, from.reg));
  cpu.state.set_reg32(to.reg & 7, value);
  return {};
}

bool is_special(OperandKind kind) {
  return kind == OperandKind::segment || kind == OperandKind::control || kind == OperandKind::debug;
}

Outcome<> move(Cpu& cpu, const Instruction& insn) {
  if (is_special(insn.operands[0].kind) || is_special(insn.operands[1].kind)) return move_special(cpu, insn);
  return by_operand_size(insn, 0, [&]<class T>() -> Outcome<> {
    const T value = RS_TRY(read_operand<T>(cpu, insn, 1));
    return write_operand<T>(cpu, insn, 0, value);
  });
}

template <class Narrow8, class Narrow16>
Outcome<> move_extended(Cpu& cpu, const Instruction& insn) {
  u32 value;
  if (insn.operands[1].bytes == 1)
    value = static_cast<u32>(static_cast<i32>(RS_TRY(read_operand<Narrow8>(cpu, insn, 1))));
  else
    value = static_cast<u32>(static_cast<i32>(RS_TRY(read_operand<Narrow16>(cpu, insn, 1))));
  if (insn.operands[0].bytes == 2) return write_operand<u16>(cpu, insn, 0, static_cast<u16>(value));
  return write_operand<u32>(cpu, insn, 0, value);
}

Outcome<> load_effective_address(Cpu& cpu, const Instruction& insn) {
  const u32 offset = effective_address(cpu.state, insn);
  if (insn.operands[0].bytes == 2) return write_operand<u16>(cpu, insn, 0, static_cast<u16>(offset));
  return write_operand<u32>(cpu, insn, 0, offset);
}

// The source is read, and may fault, whatever the condition says.
Outcome<> conditional_move(Cpu& cpu, const Instruction& insn) {
  return by_operand_size(insn, 0, [&]<class T>() -> Outcome<> {
    const T value = RS_TRY(read_operand<T>(cpu, insn, 1));
    if (condition_holds(cpu.state, insn.opcode & 15)) return write_operand<T>(cpu, insn, 0, value);
    return {};
  });
}

Outcome<> conditional_set(Cpu& cpu, const Instruction& insn) {
  return write_operand<u8>(cpu, insn, 0, condition_holds(cpu.state, insn.opcode & 15) ? 1 : 0);
}

// With a 16-bit operand the result is undefined; processors give zero.
Outcome<> swap_bytes(Cpu& cpu, const Instruction& insn) {
  const unsigned reg = insn.operands[0].reg & 7;
  if (insn.operand_size == 2)
    cpu.state.set_reg16(reg, 0);
  else
    cpu.state.set_reg32(reg, __builtin_bswap32(cpu.state.reg32(reg)));
  return {};
}

Outcome<> move_big_endian(Cpu& cpu, const Instruction& insn) {
  if (insn.operands[0].bytes == 2) {
    const u16 value = RS_TRY(read_operand<u16>(cpu, insn, 1));
    return write_operand<u16>(cpu, insn, 0, __builtin_bswap16(value));
  }
  const u32 value = RS_TRY(read_operand<u32>(cpu, insn, 1));
  return write_operand<u32>(cpu, insn, 0, __builtin_bswap32(value));
}

Outcome<> do_nothing(Cpu&, const Instruction&) { return {}; }

constexpr unsigned kConditionalMoves[] = {
    ZYDIS_MNEMONIC_CMOVO, ZYDIS_MNEMONIC_CMOVNO, ZYDIS_MNEMONIC_CMOVB,  ZYDIS_MNEMONIC_CMOVNB,
    ZYDIS_MNEMONIC_CMOVZ, ZYDIS_MNEMONIC_CMOVNZ, ZYDIS_MNEMONIC_CMOVBE, ZYDIS_MNEMONIC_CMOVNBE,
    ZYDIS_MNEMONIC_CMOVS, ZYDIS_MNEMONIC_CMOVNS, ZYDIS_MNEMONIC_CMOVP,  ZYDIS_MNEMONIC_CMOVNP,
    ZYDIS_MNEMONIC_CMOVL, ZYDIS_MNEMONIC_CMOVNL, ZYDIS_MNEMONIC_CMOVLE, ZYDIS_MNEMONIC_CMOVNLE};
constexpr unsigned kConditionalSets[] = {
    ZYDIS_MNEMONIC_SETO, ZYDIS_MNEMONIC_SETNO, ZYDIS_MNEMONIC_SETB,  ZYDIS_MNEMONIC_SETNB,
    ZYDIS_MNEMONIC_SETZ, ZYDIS_MNEMONIC_SETNZ, ZYDIS_MNEMONIC_SETBE, ZYDIS_MNEMONIC_SETNBE,
    ZYDIS_MNEMONIC_SETS, ZYDIS_MNEMONIC_SETNS, ZYDIS_MNEMONIC_SETP,  ZYDIS_MNEMONIC_SETNP,
    ZYDIS_MNEMONIC_SETL, ZYDIS_MNEMONIC_SETNL, ZYDIS_MNEMONIC_SETLE, ZYDIS_MNEMONIC_SETNLE};

}  // namespace

void register_moves(HandlerTable& table) {
  table.set(ZYDIS_MNEMONIC_MOV, move);
  table.set(ZYDIS_MNEMONIC_MOVZX, move_extended<u8, u16>);
  table.set(ZYDIS_MNEMONIC_MOVSX, move_extended<i8, i16>);
  table.set(ZYDIS_MNEMONIC_LEA, load_effective_address);
  table.set(ZYDIS_MNEMONIC_BSWAP, swap_bytes);
  table.set(ZYDIS_MNEMONIC_MOVBE, move_big_endian);
  for (const unsigned mnemonic : kConditionalMoves) table.set(mnemonic, conditional_move);
  for (const unsigned mnemonic : kConditionalSets) table.set(mnemonic, conditional_set);
  for (const unsigned mnemonic :
       {ZYDIS_MNEMONIC_NOP, ZYDIS_MNEMONIC_PAUSE, ZYDIS_MNEMONIC_ENDBR32, ZYDIS_MNEMONIC_ENDBR64})
    table.set(mnemonic, do_nothing);
}

}  // namespace ringshift
