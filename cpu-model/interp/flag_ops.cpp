// Instructions on the flags themselves: LAHF, SAHF, CMC, CLC .. STD, CLI, STI, PUSHF, POPF, SALC.
#include <Zydis/Zydis.h>

#include "cpu-model/eflags.h"
#include "cpu-model/interp/alu.h"
#include "cpu-model/interp/handlers.h"
#include "cpu-model/stack.h"

namespace ringshift {

namespace {

template <u32 kFlag, bool kValue>
Outcome<> assign_flag(Cpu& cpu, const Instruction&) {
  set_flag(cpu.state, kFlag, kValue);
  return {};
}

Outcome<> complement_carry(Cpu& cpu, const Instruction&) {
  cpu.state.rflags ^= kFlagCf;
  return {};
}

Outcome<> load_ah(Cpu& cpu, const Instruction&) {
  constexpr unsigned kAh = 4;
  cpu.state.set_reg8(kAh, static_cast<u8>((cpu.state.rflags & kLahfFlags) | kFlagFixed));
  return {};
}

Outcome<> store_ah(Cpu& cpu, const Instruction&) {
  constexpr unsigned kAh = 4;
  cpu.state.rflags = (cpu.state.rflags & ~u64{kLahfFlags}) | (cpu.state.reg8(kAh) & kLahfFlags);
  return {};
}

Outcome<> set_al_from_carry(Cpu& cpu, const Instruction&) {
  cpu.state.set_reg8(kEax, flag(cpu.state, kFlagCf) ? 0xff : 0);
  return {};
}

Outcome<> cli(Cpu& cpu, const Instruction&) { return clear_interrupt_flag(cpu); }
Outcome<> sti(Cpu& cpu, const Instruction&) { return set_interrupt_flag(cpu); }

Outcome<> push_flags(Cpu& cpu, const Instruction& insn) {
  const u32 image = RS_TRY(flags_for_push(cpu, insn.operand_size));
  return push(cpu, image, insn.operand_size);
}

Outcome<> pop_flags(Cpu& cpu, const Instruction& insn) {
  const u32 image = RS_TRY(pop(cpu, insn.operand_size));
  return flags_from_pop(cpu, image, insn.operand_size);
}

}  // namespace

void register_flags(HandlerTable& table) {
  table.set(ZYDIS_MNEMONIC_CLC, assign_flag<kFlagCf, false>);
  table.set(ZYDIS_MNEMONIC_STC, assign_flag<kFlagCf, true>);
  table.set(ZYDIS_MNEMONIC_CLD, assign_flag<kFlagDf, false>);
  table.set(ZYDIS_MNEMONIC_STD, assign_flag<kFlagDf, true>);
  table.set(ZYDIS_MNEMONIC_CMC, complement_carry);
  table.set(ZYDIS_MNEMONIC_LAHF, load_ah);
  table.set(ZYDIS_MNEMONIC_SAHF, store_ah);
  table.set(ZYDIS_MNEMONIC_SALC, set_al_from_carry);
  table.set(ZYDIS_MNEMONIC_CLI, cli);
  table.set(ZYDIS_MNEMONIC_STI, sti);
  table.set(ZYDIS_MNEMONIC_PUSHF, push_flags);
  table.set(ZYDIS_MNEMONIC_PUSHFD, push_flags);
  table.set(ZYDIS_MNEMONIC_POPF, pop_flags);
  table.set(ZYDIS_MNEMONIC_POPFD, pop_flags);
}

}  // namespace ringshift
