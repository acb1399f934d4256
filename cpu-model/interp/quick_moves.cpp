// Quick handlers of MOV, MOVZX, MOVSX, LEA, PUSH and POP.
#include <Zydis/Zydis.h>

#include "cpu-model/interp/quick.h"
#include "cpu-model/stack.h"

namespace ringshift {

namespace {

using namespace quick;

template <class T, Form kForm>
Outcome<> move(Cpu& cpu, const Instruction& insn) {
  const T value = RS_TRY((source<T, kForm>(cpu, insn)));
  if constexpr (kForm == Form::mr || kForm == Form::mi) return store<T>(cpu, insn, value);
  set_destination<T>(cpu, insn, value);
  return {};
}

// To a 32-bit register. From: u8, i8, u16 or i16.
template <class From, bool kMemory>
Outcome<> extend(Cpu& cpu, const Instruction& insn) {
  using Raw = std::make_unsigned_t<From>;
  Raw raw;
  if constexpr (kMemory)
    raw = RS_TRY(load<Raw>(cpu, insn));
  else
    raw = source_register<Raw>(cpu, insn);
  set_destination<u32>(cpu, insn, static_cast<u32>(static_cast<i32>(static_cast<From>(raw))));
  return {};
}

template <class From8, class From16>
Handler pick_extend(const Instruction& insn) {
  if (insn.operands[0].bytes != 4) return nullptr;
  const bool memory = is_memory(insn, 1);
  if (insn.operands[1].bytes == 1) return memory ? extend<From8, true> : extend<From8, false>;
  return memory ? extend<From16, true> : extend<From16, false>;
}

Outcome<> load_address(Cpu& cpu, const Instruction& insn) {
  set_destination<u32>(cpu, insn, address_of(cpu.state, insn));
  return {};
}

// With a 32-bit stack and operand; others fall back.
Outcome<> push_value(Cpu& cpu, u32 value) {
  if (!cpu.stack32()) [[unlikely]]
    return push(cpu, value, 4);
  const u32 at = cpu.state.reg32(kEsp) - 4;
  RS_TRY(store_at<u32>(cpu, Seg::ss, at, value));
  cpu.state.set_reg32(kEsp, at);
  return {};
}
Outcome<> push_register(Cpu& cpu, const Instruction& insn) {
  return push_value(cpu, destination_register<u32>(cpu, insn));
}
Outcome<> push_immediate(Cpu& cpu, const Instruction& insn) { return push_value(cpu, insn.immediate); }
Outcome<> push_memory(Cpu& cpu, const Instruction& insn) {
  const u32 value = RS_TRY(load<u32>(cpu, insn));
  return push_value(cpu, value);
}

Outcome<> pop_register(Cpu& cpu, const Instruction& insn) {
  u32 value;
  if (cpu.stack32()) [[likely]] {
    const u32 at = cpu.state.reg32(kEsp);
    value = RS_TRY(load_at<u32>(cpu, Seg::ss, at));
    cpu.state.set_reg32(kEsp, at + 4);
  } else {
    value = RS_TRY(pop(cpu, 4));
  }
  set_destination<u32>(cpu, insn, value);
  return {};
}

Handler pick_push(const Instruction& insn) {
  if (insn.operand_size != 4) return nullptr;
  switch (insn.operands[0].kind) {
    case OperandKind::gpr32:
      return push_register;
    case OperandKind::immediate:
      return push_immediate;
    case OperandKind::memory:
      return push_memory;
    default:
      return nullptr;
  }
}

Outcome<> do_nothing(Cpu&, const Instruction&) { return {}; }

}  // namespace

Handler quick_moves(const Instruction& insn) {
  switch (insn.mnemonic) {
    case ZYDIS_MNEMONIC_MOV:
      return pick(insn, []<class T, Form kForm>() -> Handler { return move<T, kForm>; });
    case ZYDIS_MNEMONIC_MOVZX:
      return pick_extend<u8, u16>(insn);
    case ZYDIS_MNEMONIC_MOVSX:
      return pick_extend<i8, i16>(insn);
    case ZYDIS_MNEMONIC_LEA:
      return insn.operands[0].bytes == 4 ? load_address : nullptr;
    case ZYDIS_MNEMONIC_PUSH:
      return pick_push(insn);
    case ZYDIS_MNEMONIC_POP:
      return insn.operand_size == 4 && insn.operands[0].kind == OperandKind::gpr32 ? pop_register : nullptr;
    case ZYDIS_MNEMONIC_NOP:
      return do_nothing;
    default:
      return nullptr;
  }
}

}  // namespace ringshift
