// Translations of instructions whose immediate is live: it is loaded from the guest's code bytes.
#include <Zydis/Zydis.h>

#include "translator/translate.h"

namespace ringshift::bt {

using namespace asmjit::x86;  // NOLINT: register names

namespace {

// Of instructions with an immediate: that which takes a register in its place; none: there is no such form.
asmjit::InstId register_form(u16 mnemonic) {
  switch (mnemonic) {
    case ZYDIS_MNEMONIC_MOV:
      return Inst::kIdMov;
    case ZYDIS_MNEMONIC_ADD:
      return Inst::kIdAdd;
    case ZYDIS_MNEMONIC_OR:
      return Inst::kIdOr;
    case ZYDIS_MNEMONIC_ADC:
      return Inst::kIdAdc;
    case ZYDIS_MNEMONIC_SBB:
      return Inst::kIdSbb;
    case ZYDIS_MNEMONIC_AND:
      return Inst::kIdAnd;
    case ZYDIS_MNEMONIC_SUB:
      return Inst::kIdSub;
    case ZYDIS_MNEMONIC_XOR:
      return Inst::kIdXor;
    case ZYDIS_MNEMONIC_CMP:
      return Inst::kIdCmp;
    case ZYDIS_MNEMONIC_TEST:
      return Inst::kIdTest;
    case ZYDIS_MNEMONIC_IMUL:
      return Inst::kIdImul;
    default:
      return Inst::kIdNone;
  }
}

bool register_or_memory(const Operand& operand) {
  return operand.kind == OperandKind::memory || operand.kind == OperandKind::gpr8 ||
         operand.kind == OperandKind::gpr16 || operand.kind == OperandKind::gpr32;
}

}  // namespace

bool takes_live_immediate(const Instruction& insn) {
  const unsigned operands = insn.mnemonic == ZYDIS_MNEMONIC_IMUL ? 3 : 2;
  if (insn.map != OpcodeMap::one_byte || insn.operand_count != operands || names_high_byte(insn))
    return false;
  if (insn.operands[operands - 1].kind != OperandKind::immediate) return false;
  return register_or_memory(insn.operands[0]) && register_form(insn.mnemonic) != Inst::kIdNone;
}

// IMUL r, r/m, imm has no form with two other registers: the product is made in r11.
void translate_live_immediate(Emitter& emitter, const GuestInstruction& guest) {
  const Instruction& insn = guest.insn;
  const Operand& first = insn.operands[0];
  const bool product = insn.mnemonic == ZYDIS_MNEMONIC_IMUL;
  const Operand& other = product ? insn.operands[1] : first;
  const u32 size = first.bytes;
  auto& as = emitter.as();
  if (insn.memory_form()) emitter.begin_memory();
  emitter.load_live(r11, kLiveImmediate);
  const Gp value = sized(r11, size);
  asmjit::Operand operand = sized(gpq(other.reg), size);
  if (insn.memory_form())
    operand = emitter.memory(insn, insn.memory_written ? Access::write : Access::read, other.bytes);
  emitter.prepare_flags(insn);
  if (insn.memory_form()) emitter.mark();
  if (insn.has_prefix(kPrefixLock)) as.lock();
  if (product) {
    as.emit(register_form(insn.mnemonic), value, operand);
    as.mov(sized(gpq(first.reg), size), value);
  } else {
    as.emit(register_form(insn.mnemonic), operand, value);
  }
  emitter.settle_flags(insn);
}

}  // namespace ringshift::bt
