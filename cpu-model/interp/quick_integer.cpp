// Quick handlers of arithmetic and logic, and of shifts by a constant.
#include <Zydis/Zydis.h>

#include "cpu-model/interp/integer_operations.h"
#include "cpu-model/interp/quick.h"

namespace ringshift {

namespace {

using namespace quick;

// Applies Op to what memory holds; the general code does it where memory isn't plain.
template <class Op, class T>
Outcome<> modify_in_memory(Cpu& cpu, const Instruction& insn, T b) {
  const u32 offset = address_of(cpu.state, insn);
  const auto change = [&](T a) {
    FlagsImage flags;
    const T result = Op::template run<T>(a, b, cpu.state.eflags() & kFlagCf, flags);
    set_flags(cpu.state, flags, Op::kFlags);
    return result;
  };
  u8* place = plain_place<T, true>(cpu, insn.segment, offset);
  if (place == nullptr) [[unlikely]]
    return modify_memory<T>(cpu, insn.segment, offset, change);
  T value;
  std::memcpy(&value, place, sizeof(T));
  value = change(value);
  std::memcpy(place, &value, sizeof(T));
  return {};
}

template <class Op, class T, Form kForm>
Outcome<> binary(Cpu& cpu, const Instruction& insn) {
  const T b = RS_TRY((source<T, kForm>(cpu, insn)));
  if constexpr (kForm == Form::mr || kForm == Form::mi) return modify_in_memory<Op, T>(cpu, insn, b);
  FlagsImage flags;
  const T a = destination_register<T>(cpu, insn);
  set_destination<T>(cpu, insn, Op::template run<T>(a, b, cpu.state.eflags() & kFlagCf, flags));
  set_flags(cpu.state, flags, Op::kFlags);
  return {};
}

template <class Op, class T, Form kForm>
Outcome<> compare(Cpu& cpu, const Instruction& insn) {
  const T b = RS_TRY((source<T, kForm>(cpu, insn)));
  T a;
  if constexpr (kForm == Form::mr || kForm == Form::mi)
    a = RS_TRY(load<T>(cpu, insn));
  else
    a = destination_register<T>(cpu, insn);
  FlagsImage flags;
  Op::template run<T>(a, b, 0, flags);
  set_flags(cpu.state, flags);
  return {};
}

template <class Op, class T, bool kMemory>
Outcome<> by_one(Cpu& cpu, const Instruction& insn) {
  if constexpr (kMemory) return modify_in_memory<Op, T>(cpu, insn, 1);
  FlagsImage flags;
  const T a = destination_register<T>(cpu, insn);
  set_destination<T>(cpu, insn, Op::template run<T>(a, T{1}, 0, flags));
  set_flags(cpu.state, flags, Op::kFlags);
  return {};
}

template <class Op>
Handler pick_binary(const Instruction& insn) {
  return pick(insn, []<class T, Form kForm>() -> Handler { return binary<Op, T, kForm>; });
}
template <class Op>
Handler pick_compare(const Instruction& insn) {
  return pick(insn, []<class T, Form kForm>() -> Handler { return compare<Op, T, kForm>; });
}
template <class Op>
Handler pick_by_one(const Instruction& insn) {
  const bool memory = is_memory(insn, 0);
  switch (insn.operands[0].bytes) {
    case 1:
      return memory ? by_one<Op, u8, true> : by_one<Op, u8, false>;
    case 2:
      return memory ? by_one<Op, u16, true> : by_one<Op, u16, false>;
    default:
      return memory ? by_one<Op, u32, true> : by_one<Op, u32, false>;
  }
}

// Shifts of a 32-bit register by a constant other than 0.
#define RINGSHIFT_SHIFT(name, mnemonic)                        \
  Outcome<> name(Cpu& cpu, const Instruction& insn) {          \
    u32 value = destination_register<u32>(cpu, insn);          \
    FlagsImage flags = image_of_flags(cpu.state.rflags);       \
    asm(RS_LOAD_FLAGS mnemonic " %%cl, %[value]" RS_SAVE_FLAGS \
        : [value] "+r"(value), "+a"(flags)                     \
        : "c"(static_cast<u8>(insn.immediate & 31))            \
        : "cc");                                               \
    set_destination<u32>(cpu, insn, value);                    \
    set_flags(cpu.state, flags);                               \
    return {};                                                 \
  }
RINGSHIFT_SHIFT(shift_left, "shll")
RINGSHIFT_SHIFT(shift_right, "shrl")
RINGSHIFT_SHIFT(shift_arithmetic, "sarl")
#undef RINGSHIFT_SHIFT

Handler pick_shift(const Instruction& insn, Handler handler) {
  const bool simple =
      insn.operands[0].kind == OperandKind::gpr32 && insn.operands[1].kind == OperandKind::immediate;
  return simple ? handler : nullptr;
}

}  // namespace

Handler quick_integer(const Instruction& insn) {
  switch (insn.mnemonic) {
    case ZYDIS_MNEMONIC_ADD:
      return pick_binary<Add>(insn);
    case ZYDIS_MNEMONIC_ADC:
      return pick_binary<Adc>(insn);
    case ZYDIS_MNEMONIC_SUB:
      return pick_binary<Sub>(insn);
    case ZYDIS_MNEMONIC_SBB:
      return pick_binary<Sbb>(insn);
    case ZYDIS_MNEMONIC_AND:
      return pick_binary<And>(insn);
    case ZYDIS_MNEMONIC_OR:
      return pick_binary<Or>(insn);
    case ZYDIS_MNEMONIC_XOR:
      return pick_binary<Xor>(insn);
    case ZYDIS_MNEMONIC_CMP:
      return pick_compare<Sub>(insn);
    case ZYDIS_MNEMONIC_TEST:
      return pick_compare<And>(insn);
    case ZYDIS_MNEMONIC_INC:
      return pick_by_one<Inc>(insn);
    case ZYDIS_MNEMONIC_DEC:
      return pick_by_one<Dec>(insn);
    case ZYDIS_MNEMONIC_SHL:
      return pick_shift(insn, shift_left);
    case ZYDIS_MNEMONIC_SHR:
      return pick_shift(insn, shift_right);
    case ZYDIS_MNEMONIC_SAR:
      return pick_shift(insn, shift_arithmetic);
    default:
      return nullptr;
  }
}

}  // namespace ringshift
