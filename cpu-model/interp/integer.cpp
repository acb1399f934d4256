// Integer arithmetic and logic: ADD to CMP, TEST, INC, DEC, NEG, NOT.
#include <Zydis/Zydis.h>

#include "cpu-model/interp/alu.h"
#include "cpu-model/interp/handlers.h"
#include "cpu-model/interp/integer_operations.h"
#include "cpu-model/interp/operands.h"

namespace ringshift {

namespace {

template <class Op>
Outcome<> binary(Cpu& cpu, const Instruction& insn) {
  return by_operand_size(insn, 0, [&]<class T>() -> Outcome<> {
    const T b = RS_TRY(read_operand<T>(cpu, insn, 1));
    return modify_operand<T>(cpu, insn, 0, [&](T a) {
      FlagsImage flags;
      const T result = Op::template run<T>(a, b, cpu.state.eflags() & kFlagCf, flags);
      set_flags(cpu.state, flags);
      return result;
    });
  });
}

// CMP and TEST: the result goes nowhere.
template <class Op>
Outcome<> compare(Cpu& cpu, const Instruction& insn) {
  return by_operand_size(insn, 0, [&]<class T>() -> Outcome<> {
    const T b = RS_TRY(read_operand<T>(cpu, insn, 1));
    const T a = RS_TRY(read_operand<T>(cpu, insn, 0));
    FlagsImage flags;
    Op::template run<T>(a, b, 0, flags);
    set_flags(cpu.state, flags);
    return {};
  });
}

// INC and DEC leave CF alone.
template <class Op>
Outcome<> step_by_one(Cpu& cpu, const Instruction& insn) {
  return by_operand_size(insn, 0, [&]<class T>() {
    return modify_operand<T>(cpu, insn, 0, [&](T a) {
      FlagsImage flags;
      const T result = Op::template run<T>(a, T{1}, 0, flags);
      set_flags(cpu.state, flags, Op::kFlags);
      return result;
    });
  });
}

Outcome<> negate(Cpu& cpu, const Instruction& insn) {
  return by_operand_size(insn, 0, [&]<class T>() {
    return modify_operand<T>(cpu, insn, 0, [&](T a) {
      FlagsImage flags;
      const T result = alu_neg<T>(a, flags);
      set_flags(cpu.state, flags);
      return result;
    });
  });
}

Outcome<> complement(Cpu& cpu, const Instruction& insn) {
  return by_operand_size(insn, 0, [&]<class T>() {
    return modify_operand<T>(cpu, insn, 0, [](T a) { return static_cast<T>(~a); });
  });
}

}  // namespace

void register_integer(HandlerTable& table) {
  table.set(ZYDIS_MNEMONIC_ADD, binary<Add>);
  table.set(ZYDIS_MNEMONIC_ADC, binary<Adc>);
  table.set(ZYDIS_MNEMONIC_SUB, binary<Sub>);
  table.set(ZYDIS_MNEMONIC_SBB, binary<Sbb>);
  table.set(ZYDIS_MNEMONIC_AND, binary<And>);
  table.set(ZYDIS_MNEMONIC_OR, binary<Or>);
  table.set(ZYDIS_MNEMONIC_XOR, binary<Xor>);
  table.set(ZYDIS_MNEMONIC_CMP, compare<Sub>);
  table.set(ZYDIS_MNEMONIC_TEST, compare<And>);
  table.set(ZYDIS_MNEMONIC_INC, step_by_one<Inc>);
  table.set(ZYDIS_MNEMONIC_DEC, step_by_one<Dec>);
  table.set(ZYDIS_MNEMONIC_NEG, negate);
  table.set(ZYDIS_MNEMONIC_NOT, complement);
}

}  // namespace ringshift
