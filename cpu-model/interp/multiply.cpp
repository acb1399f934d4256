// MUL, IMUL, DIV, IDIV by the host's own, and the sign extensions CBW, CWDE, CWD, CDQ.
#include <Zydis/Zydis.h>

#include <limits>
#include <type_traits>

#include "base/bits.h"
#include "cpu-model/interp/alu.h"
#include "cpu-model/interp/bcd.h"
#include "cpu-model/interp/handlers.h"
#include "cpu-model/interp/operands.h"

namespace ringshift {

namespace {

// One-operand forms work on a pair: AH:AL, DX:AX or EDX:EAX.
template <class T>
struct Pair {
  T low, high;
};

template <class T>
Pair<T> read_pair(const VcpuState& state) {
  if constexpr (sizeof(T) == 1)
    return {state.reg8(0), state.reg8(4)};  // AL, AH
  else
    return {read_register<T>(state, kEax), read_register<T>(state, kEdx)};
}
template <class T>
void write_pair(VcpuState& state, Pair<T> pair) {
  if constexpr (sizeof(T) == 1) {
    state.set_reg16(kEax, static_cast<u16>(pair.low | (pair.high << 8)));
  } else {
    write_register<T>(state, kEax, pair.low);
    write_register<T>(state, kEdx, pair.high);
  }
}

// The flags image travels in RBX here, since RAX and RDX are the operands. AH can't be named beside a REX
// prefix, so byte forms work on AX.
#define RS_LOAD_FLAGS_BX "xchg %%rax, %%rbx\n\t" RS_LOAD_FLAGS "xchg %%rax, %%rbx\n\t"
#define RS_SAVE_FLAGS_BX "\n\txchg %%rax, %%rbx" RS_SAVE_FLAGS "\n\txchg %%rax, %%rbx"

#define RINGSHIFT_PAIR_OPERATION(name, mnemonic)                   \
  template <class T>                                               \
  Pair<T> name(Pair<T> pair, T operand, FlagsImage& flags) {       \
    u64 image = flags;                                             \
    if constexpr (sizeof(T) == 1) {                                \
      u64 ax = pair.low | (u64{pair.high} << 8);                   \
      asm(RS_LOAD_FLAGS_BX mnemonic " %[operand]" RS_SAVE_FLAGS_BX \
          : "+&a"(ax), "+&b"(image)                                \
          : [operand] "r"(operand)                                 \
          : "cc");                                                 \
      pair = {static_cast<u8>(ax), static_cast<u8>(ax >> 8)};      \
    } else {                                                       \
      u64 low = pair.low;                                          \
      u64 high = pair.high;                                        \
      asm(RS_LOAD_FLAGS_BX mnemonic " %[operand]" RS_SAVE_FLAGS_BX \
          : "+&a"(low), "+&d"(high), "+&b"(image)                  \
          : [operand] "r"(operand)                                 \
          : "cc");                                                 \
      pair = {static_cast<T>(low), static_cast<T>(high)};          \
    }                                                              \
    flags = static_cast<FlagsImage>(image);                        \
    return pair;                                                   \
  }
RINGSHIFT_PAIR_OPERATION(host_mul, "mul")
RINGSHIFT_PAIR_OPERATION(host_imul, "imul")
RINGSHIFT_PAIR_OPERATION(host_div, "div")
RINGSHIFT_PAIR_OPERATION(host_idiv, "idiv")
#undef RINGSHIFT_PAIR_OPERATION

// What the host would trap on: division by zero, and a quotient that T can't hold.
template <class T>
bool unsigned_quotient_fits(Pair<T> dividend, T divisor) {
  return dividend.high < divisor;
}
template <class T>
bool signed_quotient_fits(Pair<T> dividend, T divisor) {
  using S = std::make_signed_t<T>;
  const u64 joined = (u64{dividend.high} << (8 * sizeof(T))) | dividend.low;
  constexpr unsigned kUnused = 64 - 16 * sizeof(T);
  const i64 wide = static_cast<i64>(joined << kUnused) >> kUnused;
  const i64 by = static_cast<S>(divisor);
  if (by == 0) return false;
  if (by == -1 && wide == std::numeric_limits<i64>::min()) return false;  // would trap right here
  const i64 quotient = wide / by;
  return quotient >= std::numeric_limits<S>::min() && quotient <= std::numeric_limits<S>::max();
}

enum class PairOperation { mul, imul, div, idiv };

template <class T, PairOperation Operation>
Outcome<> pair_as(Cpu& cpu, const Instruction& insn) {
  const T operand = RS_TRY(read_operand<T>(cpu, insn, 0));
  Pair<T> pair = read_pair<T>(cpu.state);
  FlagsImage flags = image_of_flags(cpu.state.rflags);
  if constexpr (Operation == PairOperation::mul) {
    pair = host_mul<T>(pair, operand, flags);
  } else if constexpr (Operation == PairOperation::imul) {
    pair = host_imul<T>(pair, operand, flags);
  } else if constexpr (Operation == PairOperation::div) {
    if (!unsigned_quotient_fits<T>(pair, operand)) return raise(Fault::de());
    pair = host_div<T>(pair, operand, flags);
  } else {
    if (!signed_quotient_fits<T>(pair, operand)) return raise(Fault::de());
    pair = host_idiv<T>(pair, operand, flags);
  }
  write_pair<T>(cpu.state, pair);
  set_flags(cpu.state, flags);
  return {};
}

template <PairOperation Operation>
Outcome<> pair_operation(Cpu& cpu, const Instruction& insn) {
  if ((insn.opcode & 1) == 0) return pair_as<u8, Operation>(cpu, insn);
  return insn.operand_size == 4 ? pair_as<u32, Operation>(cpu, insn) : pair_as<u16, Operation>(cpu, insn);
}

// IMUL r, r/m (0F AF) and IMUL r, r/m, imm (69, 6B).
template <class T>
Outcome<> imul_register_as(Cpu& cpu, const Instruction& insn) {
  T value = RS_TRY(read_operand<T>(cpu, insn, 1));
  const unsigned reg = insn.modrm_reg();
  const T factor =
      insn.map == OpcodeMap::map_0f ? read_register<T>(cpu.state, reg) : static_cast<T>(insn.immediate);
  FlagsImage flags = image_of_flags(cpu.state.rflags);
  asm(RS_LOAD_FLAGS "imul %[factor], %[value]" RS_SAVE_FLAGS
      : [value] "+r"(value), "+&a"(flags)
      : [factor] "r"(factor)
      : "cc");
  write_register<T>(cpu.state, reg, value);
  set_flags(cpu.state, flags);
  return {};
}

Outcome<> imul(Cpu& cpu, const Instruction& insn) {
  const bool one_operand = insn.map == OpcodeMap::one_byte && insn.opcode >= 0xf6;
  if (one_operand) return pair_operation<PairOperation::imul>(cpu, insn);
  return insn.operand_size == 4 ? imul_register_as<u32>(cpu, insn) : imul_register_as<u16>(cpu, insn);
}

Outcome<> cbw(Cpu& cpu, const Instruction&) {
  cpu.state.set_reg16(kEax, static_cast<u16>(static_cast<i8>(cpu.state.reg8(kEax))));
  return {};
}
Outcome<> cwde(Cpu& cpu, const Instruction&) {
  cpu.state.set_reg32(kEax, static_cast<u32>(static_cast<i16>(cpu.state.reg16(kEax))));
  return {};
}
Outcome<> cwd(Cpu& cpu, const Instruction&) {
  cpu.state.set_reg16(kEdx, has_bit(cpu.state.reg16(kEax), 15) ? 0xffff : 0);
  return {};
}
Outcome<> cdq(Cpu& cpu, const Instruction&) {
  cpu.state.set_reg32(kEdx, has_bit(cpu.state.reg32(kEax), 31) ? ~0u : 0);
  return {};
}

}  // namespace

void register_multiply(HandlerTable& table) {
  table.set(ZYDIS_MNEMONIC_MUL, pair_operation<PairOperation::mul>);
  table.set(ZYDIS_MNEMONIC_IMUL, imul);
  table.set(ZYDIS_MNEMONIC_DIV, pair_operation<PairOperation::div>);
  table.set(ZYDIS_MNEMONIC_IDIV, pair_operation<PairOperation::idiv>);
  table.set(ZYDIS_MNEMONIC_CBW, cbw);
  table.set(ZYDIS_MNEMONIC_CWDE, cwde);
  table.set(ZYDIS_MNEMONIC_CWD, cwd);
  table.set(ZYDIS_MNEMONIC_CDQ, cdq);
  register_bcd(table);
}

}  // namespace ringshift
