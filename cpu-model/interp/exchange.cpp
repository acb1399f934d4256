// Exchanges: XCHG, XADD, CMPXCHG, CMPXCHG8B. With one vCPU a machine none needs the host's lock.
#include <Zydis/Zydis.h>

#include "cpu-model/interp/alu.h"
#include "cpu-model/interp/handlers.h"
#include "cpu-model/interp/operands.h"

namespace ringshift {

namespace {

Outcome<> exchange(Cpu& cpu, const Instruction& insn) {
  const unsigned place = is_memory(insn, 1) ? 1 : 0;
  const unsigned reg = insn.operands[1 - place].reg & 7;
  return by_operand_size(insn, 0, [&]<class T>() {
    return modify_operand<T>(cpu, insn, place, [&](T old) {
      const T value = read_register<T>(cpu.state, reg);
      write_register<T>(cpu.state, reg, old);
      return value;
    });
  });
}

// The source gets the old destination first, so that XADD of a register to itself doubles it.
Outcome<> exchange_and_add(Cpu& cpu, const Instruction& insn) {
  const unsigned reg = insn.operands[1].reg & 7;
  return by_operand_size(insn, 0, [&]<class T>() {
    return modify_operand<T>(cpu, insn, 0, [&](T old) {
      FlagsImage flags;
      const T sum = alu_add<T>(old, read_register<T>(cpu.state, reg), flags);
      write_register<T>(cpu.state, reg, old);
      set_flags(cpu.state, flags);
      return sum;
    });
  });
}

// The destination is written in either case (SDM vol. 2A CMPXCHG).
Outcome<> compare_exchange(Cpu& cpu, const Instruction& insn) {
  const unsigned reg = insn.operands[1].reg & 7;
  return by_operand_size(insn, 0, [&]<class T>() {
    return modify_operand<T>(cpu, insn, 0, [&](T old) {
      FlagsImage flags;
      alu_sub<T>(read_register<T>(cpu.state, kEax), old, flags);
      set_flags(cpu.state, flags);
      if (flag(cpu.state, kFlagZf)) return read_register<T>(cpu.state, reg);
      write_register<T>(cpu.state, kEax, old);
      return old;
    });
  });
}

Outcome<> compare_exchange_8_bytes(Cpu& cpu, const Instruction& insn) {
  if (!is_memory(insn, 0)) return raise(Fault::ud());
  VcpuState& state = cpu.state;
  return modify_memory<u64>(cpu, insn.segment, effective_address(state, insn), [&](u64 old) {
    const u64 expected = u64{state.reg32(kEdx)} << 32 | state.reg32(kEax);
    set_flag(state, kFlagZf, old == expected);
    if (old == expected) return u64{state.reg32(kEcx)} << 32 | state.reg32(kEbx);
    state.set_reg32(kEax, static_cast<u32>(old));
    state.set_reg32(kEdx, static_cast<u32>(old >> 32));
    return old;
  });
}

}  // namespace

void register_exchanges(HandlerTable& table) {
  table.set(ZYDIS_MNEMONIC_XCHG, exchange);
  table.set(ZYDIS_MNEMONIC_XADD, exchange_and_add);
  table.set(ZYDIS_MNEMONIC_CMPXCHG, compare_exchange);
  table.set(ZYDIS_MNEMONIC_CMPXCHG8B, compare_exchange_8_bytes);
}

}  // namespace ringshift
