// Which flags an instruction certainly overwrites.
#include "translator/flag_effects.h"

#include <Zydis/Mnemonic.h>

namespace ringshift::bt {

namespace {

// What the manual leaves undefined, these leave as it was on the hosts at hand (measured): it must survive.
bool keeps_undefined_flags(u16 mnemonic) {
  switch (mnemonic) {
    case ZYDIS_MNEMONIC_MUL:
    case ZYDIS_MNEMONIC_IMUL:
    case ZYDIS_MNEMONIC_DIV:
    case ZYDIS_MNEMONIC_IDIV:
    case ZYDIS_MNEMONIC_ROL:
    case ZYDIS_MNEMONIC_ROR:
    case ZYDIS_MNEMONIC_RCL:
    case ZYDIS_MNEMONIC_RCR:
    case ZYDIS_MNEMONIC_BT:
    case ZYDIS_MNEMONIC_BTS:
    case ZYDIS_MNEMONIC_BTR:
    case ZYDIS_MNEMONIC_BTC:
    case ZYDIS_MNEMONIC_BSF:
    case ZYDIS_MNEMONIC_BSR:
      return true;
    default:
      return false;
  }
}

bool is_shift(u16 mnemonic) {
  switch (mnemonic) {
    case ZYDIS_MNEMONIC_SHL:
    case ZYDIS_MNEMONIC_SHR:
    case ZYDIS_MNEMONIC_SAR:
    case ZYDIS_MNEMONIC_ROL:
    case ZYDIS_MNEMONIC_ROR:
    case ZYDIS_MNEMONIC_RCL:
    case ZYDIS_MNEMONIC_RCR:
    case ZYDIS_MNEMONIC_SHLD:
    case ZYDIS_MNEMONIC_SHRD:
      return true;
    default:
      return false;
  }
}

}  // namespace

u32 flags_overwritten(const Instruction& insn) {
  if (is_shift(insn.mnemonic)) {
    // A count of 0 changes nothing; CL isn't known here.
    const Operand& count = insn.operands[insn.operand_count - 1];
    if (count.kind != OperandKind::immediate || (insn.immediate & 31) == 0) return 0;
  }
  const u32 kept = keeps_undefined_flags(insn.mnemonic) ? insn.flags_undefined : 0;
  return insn.flags_written & ~kept & kArithmeticFlags;
}

}  // namespace ringshift::bt
