// Translations of instructions whose immediate is live: it is loaded from the guest's code bytes.
#include <Zydis/Zydis.h>

#include "base/check.h"
#include "translator/translate.h"

namespace ringshift::bt {

using namespace asmjit::x86;  // NOLINT: register names

namespace {

// The form of the instruction that takes a register, or memory, and a register.
template <class Destination>
void emit_operation(Assembler& as, u16 mnemonic, const Destination& to, const Gp& value) {
  switch (mnemonic) {
    case ZYDIS_MNEMONIC_MOV:
      return void(as.mov(to, value));
    case ZYDIS_MNEMONIC_ADD:
      return void(as.add(to, value));
    case ZYDIS_MNEMONIC_OR:
      return void(as.or_(to, value));
    case ZYDIS_MNEMONIC_ADC:
      return void(as.adc(to, value));
    case ZYDIS_MNEMONIC_SBB:
      return void(as.sbb(to, value));
    case ZYDIS_MNEMONIC_AND:
      return void(as.and_(to, value));
    case ZYDIS_MNEMONIC_SUB:
      return void(as.sub(to, value));
    case ZYDIS_MNEMONIC_XOR:
      return void(as.xor_(to, value));
    case ZYDIS_MNEMONIC_CMP:
      return void(as.cmp(to, value));
    case ZYDIS_MNEMONIC_TEST:
      return void(as.test(to, value));
    default:
      RS_PANIC("no register form: mnemonic {}", mnemonic);
  }
}

// IMUL r, r/m, imm has no form with two other registers: the product is made in r11.
template <class Source>
void emit_product(Assembler& as, const Gp& to, const Gp& value, const Source& source) {
  as.imul(value, source);
  as.mov(to, value);
}

}  // namespace

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
  if (insn.memory_form()) {
    const Mem operand = emitter.memory(insn, insn.memory_written ? Access::write : Access::read, other.bytes);
    emitter.prepare_flags(insn);
    emitter.mark();
    if (insn.has_prefix(kPrefixLock)) as.lock();
    if (product)
      emit_product(as, sized(gpq(first.reg), size), value, operand);
    else
      emit_operation(as, insn.mnemonic, operand, value);
  } else {
    emitter.prepare_flags(insn);
    const Gp operand = sized(gpq(other.reg), size);
    if (product)
      emit_product(as, sized(gpq(first.reg), size), value, operand);
    else
      emit_operation(as, insn.mnemonic, operand, value);
  }
  emitter.settle_flags(insn);
}

}  // namespace ringshift::bt
