// Quick handlers of near Jcc, JMP, CALL and RET with a 32-bit operand size, and of SETcc and CMOVcc.
#include <Zydis/Zydis.h>

#include <array>
#include <utility>

#include "cpu-model/interp/quick.h"

namespace ringshift {

namespace {

using namespace quick;

inline Outcome<> go_to(Cpu& cpu, u32 target) {
  if (target > cpu.state.segment(Seg::cs).limit) [[unlikely]]
    return raise(Fault::gp());
  cpu.state.rip = target;
  return {};
}

template <unsigned kCondition>
Outcome<> jump_if(Cpu& cpu, const Instruction& insn) {
  if (!condition_holds(cpu.state, kCondition)) return {};
  return go_to(cpu, cpu.state.eip() + insn.immediate);
}
template <unsigned kCondition>
Outcome<> set_if(Cpu& cpu, const Instruction& insn) {
  set_destination<u8>(cpu, insn, condition_holds(cpu.state, kCondition) ? 1 : 0);
  return {};
}
template <unsigned kCondition, Form kForm>
Outcome<> move_if(Cpu& cpu, const Instruction& insn) {
  const u32 value = RS_TRY((source<u32, kForm>(cpu, insn)));
  if (condition_holds(cpu.state, kCondition)) set_destination<u32>(cpu, insn, value);
  return {};
}

using ByCondition = std::array<Handler, 16>;
template <std::size_t... kCondition>
constexpr ByCondition jumps(std::index_sequence<kCondition...>) {
  return {jump_if<kCondition>...};
}
template <std::size_t... kCondition>
constexpr ByCondition sets(std::index_sequence<kCondition...>) {
  return {set_if<kCondition>...};
}
template <Form kForm, std::size_t... kCondition>
constexpr ByCondition moves(std::index_sequence<kCondition...>) {
  return {move_if<kCondition, kForm>...};
}
using Conditions = std::make_index_sequence<16>;
constexpr ByCondition kJumps = jumps(Conditions{});
constexpr ByCondition kSets = sets(Conditions{});
constexpr ByCondition kMovesFromRegister = moves<Form::rr>(Conditions{});
constexpr ByCondition kMovesFromMemory = moves<Form::rm>(Conditions{});

Outcome<> jump_relative(Cpu& cpu, const Instruction& insn) {
  return go_to(cpu, cpu.state.eip() + insn.immediate);
}

// Stores the return address first, and moves ESP only when the target is known to be good.
Outcome<> call_to(Cpu& cpu, u32 target) {
  if (target > cpu.state.segment(Seg::cs).limit) [[unlikely]]
    return raise(Fault::gp());
  const u32 mask = cpu.stack32() ? ~0u : 0xffffu;
  const u32 esp = cpu.state.reg32(kEsp);
  const u32 at = (esp - 4) & mask;
  RS_TRY(store_at<u32>(cpu, Seg::ss, at, cpu.state.eip()));
  cpu.state.set_reg32(kEsp, (esp & ~mask) | at);
  cpu.state.rip = target;
  return {};
}
Outcome<> call_relative(Cpu& cpu, const Instruction& insn) {
  return call_to(cpu, cpu.state.eip() + insn.immediate);
}
template <Form kForm>
Outcome<> call_indirect(Cpu& cpu, const Instruction& insn) {
  if constexpr (kForm == Form::rr) return call_to(cpu, destination_register<u32>(cpu, insn));
  const u32 target = RS_TRY(load<u32>(cpu, insn));
  return call_to(cpu, target);
}
template <Form kForm>
Outcome<> jump_indirect(Cpu& cpu, const Instruction& insn) {
  if constexpr (kForm == Form::rr) return go_to(cpu, destination_register<u32>(cpu, insn));
  const u32 target = RS_TRY(load<u32>(cpu, insn));
  return go_to(cpu, target);
}

Outcome<> return_near(Cpu& cpu, const Instruction&) {
  const u32 mask = cpu.stack32() ? ~0u : 0xffffu;
  const u32 esp = cpu.state.reg32(kEsp);
  const u32 target = RS_TRY(load_at<u32>(cpu, Seg::ss, esp & mask));
  RS_TRY(go_to(cpu, target));
  cpu.state.set_reg32(kEsp, (esp & ~mask) | ((esp + 4) & mask));
  return {};
}

bool is_jump(const Instruction& insn) {
  return insn.map == OpcodeMap::one_byte ? (insn.opcode & 0xf0) == 0x70
                                         : insn.map == OpcodeMap::map_0f && (insn.opcode & 0xf0) == 0x80;
}

Handler quick_conditional(const Instruction& insn) {
  const unsigned condition = insn.opcode & 15;
  if (is_jump(insn)) return kJumps[condition];
  if (insn.map != OpcodeMap::map_0f) return nullptr;
  const OperandKind to = insn.operands[0].kind;
  if ((insn.opcode & 0xf0) == 0x90 && to == OperandKind::gpr8) return kSets[condition];
  if ((insn.opcode & 0xf0) == 0x40 && to == OperandKind::gpr32)
    return is_memory(insn, 1) ? kMovesFromMemory[condition] : kMovesFromRegister[condition];
  return nullptr;
}

// FF /2 and /4.
Handler quick_indirect(const Instruction& insn, Handler by_register, Handler by_memory, unsigned extension) {
  if (insn.opcode != 0xff || insn.modrm_reg() != extension) return nullptr;
  return is_memory(insn, 0) ? by_memory : by_register;
}

}  // namespace

Handler quick_flow(const Instruction& insn) {
  if (insn.operand_size != 4) return nullptr;
  switch (insn.mnemonic) {
    case ZYDIS_MNEMONIC_JMP:
      if (insn.operands[0].kind == OperandKind::relative) return jump_relative;
      return quick_indirect(insn, jump_indirect<Form::rr>, jump_indirect<Form::rm>, 4);
    case ZYDIS_MNEMONIC_CALL:
      if (insn.operands[0].kind == OperandKind::relative) return call_relative;
      return quick_indirect(insn, call_indirect<Form::rr>, call_indirect<Form::rm>, 2);
    case ZYDIS_MNEMONIC_RET:
      return insn.opcode == 0xc3 ? return_near : nullptr;
    default:
      return quick_conditional(insn);
  }
}

Handler quick_handler(const Instruction& insn) {
  if (const Handler handler = quick_integer(insn)) return handler;
  if (const Handler handler = quick_moves(insn)) return handler;
  return quick_flow(insn);
}

}  // namespace ringshift
