// AAA, AAS, AAM, AAD, DAA, DAS. 64-bit mode lacks them, so that they can't run on the host as they are.
//
// Their undefined flags are those of the addition or subtraction inside, as measured on AMD's Zen 4.
#include "cpu-model/interp/bcd.h"

#include <Zydis/Zydis.h>

#include "cpu-model/interp/alu.h"

namespace ringshift {

namespace {

bool low_digit_adjusts(const VcpuState& state) {
  return (state.reg8(kEax) & 0x0f) > 9 || flag(state, kFlagAf);
}

// DAA and DAS: 6 for each digit that has left 0-9.
template <bool Add>
Outcome<> adjust_packed(Cpu& cpu, const Instruction&) {
  VcpuState& state = cpu.state;
  const u8 al = state.reg8(kEax);
  const bool low = low_digit_adjusts(state);
  const bool high = al > 0x99 || flag(state, kFlagCf);
  const u8 adjustment = static_cast<u8>((low ? 6 : 0) + (high ? 0x60 : 0));
  FlagsImage flags;
  const u8 result = Add ? alu_add<u8>(al, adjustment, flags) : alu_sub<u8>(al, adjustment, flags);
  set_flags(state, flags);
  set_flag(state, kFlagAf, low);
  // DAS's borrow out of the low digit alone sets CF too (SDM vol. 2A DAS).
  set_flag(state, kFlagCf, high || (!Add && low && al < 6));
  state.set_reg8(kEax, result);
  return {};
}

// AAA and AAS: a carry or borrow of the low digit goes to AH.
template <bool Add>
Outcome<> adjust_unpacked(Cpu& cpu, const Instruction&) {
  VcpuState& state = cpu.state;
  const bool adjust = low_digit_adjusts(state);
  const u16 adjustment = adjust ? 0x106 : 0;
  FlagsImage flags;
  const u16 ax = state.reg16(kEax);
  const u16 result = Add ? alu_add<u16>(ax, adjustment, flags) : alu_sub<u16>(ax, adjustment, flags);
  set_flags(state, flags);
  set_flag(state, kFlagAf, adjust);
  set_flag(state, kFlagCf, adjust);
  state.set_reg16(kEax, result & 0xff0f);
  return {};
}

Outcome<> aam(Cpu& cpu, const Instruction& insn) {
  const u8 base = static_cast<u8>(insn.immediate);
  if (base == 0) return raise(Fault::de());
  const u8 al = cpu.state.reg8(kEax);
  FlagsImage flags;
  const u8 remainder = alu_or<u8>(al % base, 0, flags);
  cpu.state.set_reg16(kEax, static_cast<u16>(((al / base) << 8) | remainder));
  set_flags(cpu.state, flags);
  set_flag(cpu.state, kFlagAf, false);
  return {};
}

Outcome<> aad(Cpu& cpu, const Instruction& insn) {
  const u16 ax = cpu.state.reg16(kEax);
  const u8 tens = static_cast<u8>((ax >> 8) * insn.immediate);
  FlagsImage flags;
  cpu.state.set_reg16(kEax, alu_add<u8>(static_cast<u8>(ax), tens, flags));
  set_flags(cpu.state, flags);
  return {};
}

}  // namespace

void register_bcd(HandlerTable& table) {
  table.set(ZYDIS_MNEMONIC_DAA, adjust_packed<true>);
  table.set(ZYDIS_MNEMONIC_DAS, adjust_packed<false>);
  table.set(ZYDIS_MNEMONIC_AAA, adjust_unpacked<true>);
  table.set(ZYDIS_MNEMONIC_AAS, adjust_unpacked<false>);
  table.set(ZYDIS_MNEMONIC_AAM, aam);
  table.set(ZYDIS_MNEMONIC_AAD, aad);
}

}  // namespace ringshift
