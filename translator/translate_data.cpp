// Translations of data processing: copied, with memory operands through the lookup.
#include <Zydis/Zydis.h>

#include "translator/translate.h"

namespace ringshift::bt {

using namespace asmjit::x86;  // NOLINT: register names

namespace {

Access access_of(const Instruction& insn) { return insn.memory_written ? Access::write : Access::read; }

}  // namespace

void translate_identity(Emitter& emitter, const GuestInstruction& guest) {
  const Instruction& insn = guest.insn;
  if (emitter.live_immediate()) return translate_live_immediate(emitter, guest);
  if (insn.memory_form()) {
    emitter.begin_memory();
    emitter.copy_with_memory(insn, access_of(insn), bytes_of_memory(insn));
  } else {
    emitter.prepare_flags(insn);
    emitter.copy_registers(insn);
  }
  emitter.settle_flags(insn);
}

void translate_short_incdec(Emitter& emitter, const GuestInstruction& guest) {
  const Instruction& insn = guest.insn;
  emitter.prepare_flags(insn);
  const Emitter::Because because(emitter, EmissionReason::short_incdec);
  const unsigned reg = insn.opcode & 7;
  const bool wide = insn.operand_size == 4;
  const Gp operand = wide ? Gp(gpd(reg)) : Gp(gpw(reg));
  insn.opcode < 0x48 ? emitter.as().inc(operand) : emitter.as().dec(operand);
  emitter.settle_flags(insn);
}

void translate_moffs(Emitter& emitter, const GuestInstruction& guest) {
  const Instruction& insn = guest.insn;
  const bool store = insn.opcode >= 0xa2;
  const bool byte = (insn.opcode & 1) == 0;
  const u32 size = byte ? 1 : insn.operand_size;
  emitter.begin_memory();
  const Emitter::Because because(emitter, EmissionReason::moffs);
  const Mem operand = emitter.memory(insn, store ? Access::write : Access::read, size);
  const Gp accumulator = byte ? Gp(al) : size == 2 ? Gp(ax) : Gp(eax);
  if (store) {
    emitter.as().mov(operand, accumulator);
  } else {
    emitter.as().mov(accumulator, operand);
  }
}

void translate_lea(Emitter& emitter, const GuestInstruction& guest) {
  const Instruction& insn = guest.insn;
  const unsigned reg = insn.modrm_reg();
  const Emitter::Because because(emitter, EmissionReason::lea);
  if (insn.operand_size == 4) return emitter.load_address(gpd(reg), insn);
  emitter.load_address(r8, insn);
  emitter.as().mov(gpw(reg), r8w);
}

// BT, BTS, BTR, BTC [mem], reg: the register indexes a bit string around the address (SDM vol. 2A BT).
void translate_bit_string(Emitter& emitter, const GuestInstruction& guest) {
  const Instruction& insn = guest.insn;
  auto& as = emitter.as();
  const bool wide = insn.operand_size == 4;
  const unsigned reg = insn.modrm_reg();
  const Emitter::Because because(emitter, EmissionReason::bit_string);
  emitter.begin_memory();
  emitter.protect_flags();
  emitter.load_offset(r8, insn);
  if (wide) {
    as.mov(r11d, gpd(reg));
  } else {
    as.movsx(r11d, gpw(reg));
  }
  as.sar(r11d, wide ? 5 : 4);
  as.lea(r8d, ptr(r8, r11, wide ? 2 : 1));
  if (insn.address_size == 2) as.movzx(r8d, r8w);
  emitter.linear_at_r8(insn.segment, insn.operand_size);
  as.mov(r11d, gpd(reg));
  as.and_(r11d, wide ? 31 : 15);
  const Access access = insn.mnemonic == ZYDIS_MNEMONIC_BT ? Access::read : Access::write;
  if (emitter.window()) emitter.restore_flags();
  const Mem operand = emitter.memory_at_r8(access, insn.operand_size);
  if (!emitter.window()) {
    emitter.restore_flags();
    emitter.mark();
  }
  const Gp bit = wide ? Gp(r11d) : Gp(r11w);
  if (insn.has_prefix(kPrefixLock)) as.lock();
  switch (insn.mnemonic) {
    case ZYDIS_MNEMONIC_BT:
      as.bt(operand, bit);
      break;
    case ZYDIS_MNEMONIC_BTS:
      as.bts(operand, bit);
      break;
    case ZYDIS_MNEMONIC_BTR:
      as.btr(operand, bit);
      break;
    default:
      as.btc(operand, bit);
      break;
  }
}

}  // namespace ringshift::bt
