// Shifts and rotates, by the host's own: results and flags, the undefined ones too.
#include <Zydis/Zydis.h>

#include "cpu-model/interp/alu.h"
#include "cpu-model/interp/bit_operations.h"
#include "cpu-model/interp/handlers.h"
#include "cpu-model/interp/operands.h"

namespace ringshift {

namespace {

// Flags go in as well as out: a count of 0 keeps them all, rotates keep most, RCL and RCR take CF.
#define RINGSHIFT_SHIFT(name, mnemonic)                        \
  template <AluWord T>                                         \
  T name(T value, u8 count, FlagsImage& flags) {               \
    asm(RS_LOAD_FLAGS mnemonic " %%cl, %[value]" RS_SAVE_FLAGS \
        : [value] "+r"(value), "+&a"(flags)                    \
        : "c"(count)                                           \
        : "cc");                                               \
    return value;                                              \
  }
RINGSHIFT_SHIFT(shift_rol, "rol")
RINGSHIFT_SHIFT(shift_ror, "ror")
RINGSHIFT_SHIFT(shift_rcl, "rcl")
RINGSHIFT_SHIFT(shift_rcr, "rcr")
RINGSHIFT_SHIFT(shift_shl, "shl")
RINGSHIFT_SHIFT(shift_shr, "shr")
RINGSHIFT_SHIFT(shift_sar, "sar")
#undef RINGSHIFT_SHIFT

#define RINGSHIFT_DOUBLE_SHIFT(name, mnemonic)                            \
  template <class T>                                                      \
  T name(T value, T filler, u8 count, FlagsImage& flags) {                \
    asm(RS_LOAD_FLAGS mnemonic " %%cl, %[filler], %[value]" RS_SAVE_FLAGS \
        : [value] "+r"(value), "+&a"(flags)                               \
        : [filler] "r"(filler), "c"(count)                                \
        : "cc");                                                          \
    return value;                                                         \
  }
RINGSHIFT_DOUBLE_SHIFT(shift_shld, "shld")
RINGSHIFT_DOUBLE_SHIFT(shift_shrd, "shrd")
#undef RINGSHIFT_DOUBLE_SHIFT

template <class T>
using Shift = T (*)(T, u8, FlagsImage&);

// By ModRM's reg field; /6 is SHL's alias.
template <class T>
constexpr Shift<T> kShifts[8] = {shift_rol<T>, shift_ror<T>, shift_rcl<T>, shift_rcr<T>,
                                 shift_shl<T>, shift_shr<T>, shift_shl<T>, shift_sar<T>};

// C0, C1: imm8; D0, D1: 1; D2, D3: CL.
u8 shift_count(const Cpu& cpu, const Instruction& insn) {
  if (insn.opcode < 0xd0) return static_cast<u8>(insn.immediate);
  return insn.opcode < 0xd2 ? u8{1} : cpu.state.reg8(kEcx);
}

template <class T>
Outcome<> shift_as(Cpu& cpu, const Instruction& insn) {
  const u8 count = shift_count(cpu, insn);
  const Shift<T> shift = kShifts<T>[insn.modrm_reg()];
  return modify_operand<T>(cpu, insn, 0, [&](T value) {
    FlagsImage flags = image_of_flags(cpu.state.rflags);
    value = shift(value, count, flags);
    set_flags(cpu.state, flags);
    return value;
  });
}

Outcome<> shift(Cpu& cpu, const Instruction& insn) {
  if ((insn.opcode & 1) == 0) return shift_as<u8>(cpu, insn);
  return insn.operand_size == 4 ? shift_as<u32>(cpu, insn) : shift_as<u16>(cpu, insn);
}

template <class T, bool Left>
Outcome<> double_shift_as(Cpu& cpu, const Instruction& insn) {
  // 0F A4, 0F AC: imm8; 0F A5, 0F AD: CL.
  const u8 count = (insn.opcode & 1) == 0 ? static_cast<u8>(insn.immediate) : cpu.state.reg8(kEcx);
  const T filler = read_register<T>(cpu.state, insn.modrm_reg());
  return modify_operand<T>(cpu, insn, 0, [&](T value) {
    FlagsImage flags = image_of_flags(cpu.state.rflags);
    value = Left ? shift_shld<T>(value, filler, count, flags) : shift_shrd<T>(value, filler, count, flags);
    set_flags(cpu.state, flags);
    return value;
  });
}

template <bool Left>
Outcome<> double_shift(Cpu& cpu, const Instruction& insn) {
  return insn.operand_size == 4 ? double_shift_as<u32, Left>(cpu, insn)
                                : double_shift_as<u16, Left>(cpu, insn);
}

}  // namespace

void register_shifts(HandlerTable& table) {
  for (const ZydisMnemonic mnemonic :
       {ZYDIS_MNEMONIC_ROL, ZYDIS_MNEMONIC_ROR, ZYDIS_MNEMONIC_RCL, ZYDIS_MNEMONIC_RCR, ZYDIS_MNEMONIC_SHL,
        ZYDIS_MNEMONIC_SHR, ZYDIS_MNEMONIC_SAR})
    table.set(mnemonic, shift);
  table.set(ZYDIS_MNEMONIC_SHLD, double_shift<true>);
  table.set(ZYDIS_MNEMONIC_SHRD, double_shift<false>);
  register_bit_operations(table);
}

}  // namespace ringshift
