// Emitter: copies of the guest's instructions, canonicalised, with their memory operand where memory is.
#include <Zydis/Zydis.h>

#include "translator/emitter.h"
#include "translator/treatment.h"

namespace ringshift::bt {

using namespace asmjit;  // NOLINT: the assembler's own vocabulary
using namespace asmjit::x86;

namespace {

// 66 says the operand size, whose default is the guest's code segment's; for these it is part of the opcode.
bool size_prefix_is_opcode(const Instruction& insn) {
  return uses_fpu_state(insn) || insn.mnemonic == ZYDIS_MNEMONIC_CMPXCHG8B ||
         insn.mnemonic == ZYDIS_MNEMONIC_PAUSE;
}

// F2 and F3 are part of the opcode for these only; elsewhere they mean nothing, or something else on the host
// (F3 0F BC is TZCNT there, F3 89 an elision hint).
bool repeat_prefix_counts(const Instruction& insn) {
  return uses_sse(insn) || insn.mnemonic == ZYDIS_MNEMONIC_POPCNT || insn.mnemonic == ZYDIS_MNEMONIC_CRC32 ||
         insn.mnemonic == ZYDIS_MNEMONIC_PAUSE;
}

}  // namespace

void Emitter::emit_prefixes(const Instruction& insn) {
  if (size_prefix_is_opcode(insn) ? insn.has_prefix(kPrefixOperandSize) : insn.operand_size == 2)
    assembler_.db(0x66);
  if (insn.has_prefix(kPrefixLock)) assembler_.db(0xf0);
  if (!repeat_prefix_counts(insn)) return;
  if (insn.has_prefix(kPrefixRep)) assembler_.db(0xf3);
  if (insn.has_prefix(kPrefixRepne)) assembler_.db(0xf2);
}

void Emitter::emit_opcode(const Instruction& insn) {
  if (insn.map != OpcodeMap::one_byte) assembler_.db(0x0f);
  if (insn.map == OpcodeMap::map_0f38) assembler_.db(0x38);
  if (insn.map == OpcodeMap::map_0f3a) assembler_.db(0x3a);
  // 82 is an alias of 80 that 64-bit mode lacks.
  const bool alias = insn.map == OpcodeMap::one_byte && insn.opcode == 0x82;
  assembler_.db(alias ? 0x80 : insn.opcode);
}

void Emitter::emit_tail(const Instruction& insn) {
  if (insn.immediate_offset == 0) return;
  for (unsigned at = insn.immediate_offset; at < insn.length; ++at) assembler_.db(insn.bytes[at]);
}

void Emitter::copy_registers(const Instruction& insn) {
  mark();
  emit_prefixes(insn);
  emit_opcode(insn);
  unsigned tail = insn.has_modrm ? insn.modrm_offset : insn.immediate_offset;
  if (tail == 0) return;
  for (; tail < insn.length; ++tail) assembler_.db(insn.bytes[tail]);
}

void Emitter::copy_with_memory(const Instruction& insn, Access access, u32 size) {
  if (window_ && folds(insn)) {
    prepare_flags(insn);
    return copy_folded(insn);
  }
  if (shared()) {
    prepare_flags(insn);
    return copy_at(insn, MemoryForm::shared);
  }
  load_offset(r8, insn);
  linear_at_r8(insn.segment, size);
  if (!window_) lookup(access, size);
  prepare_flags(insn);
  copy_at(insn, window_ ? MemoryForm::window : MemoryForm::lookup);
}

// The instruction's own ModRM, SIB and displacement under gs: and 32-bit addressing.
void Emitter::copy_folded(const Instruction& insn) {
  const bool absolute = (insn.modrm & 0xc7) == 0x05;
  const Because because(*this, absolute ? EmissionReason::window_absolute : EmissionReason::window);
  constexpr u8 kGs = 0x65;
  constexpr u8 kAddress32 = 0x67;
  mark();
  assembler_.db(kGs);
  assembler_.db(kAddress32);
  emit_prefixes(insn);
  emit_opcode(insn);
  unsigned at = insn.modrm_offset;
  if (absolute) {
    // mod=00 rm=101 is RIP-relative here: the SIB form without base and index (SDM vol. 2A 2.2.1.6).
    assembler_.db(static_cast<u8>((insn.modrm & 0x38) | 4));
    assembler_.db(0x25);
    ++at;
  }
  for (; at < insn.length; ++at) assembler_.db(insn.bytes[at]);
}

// With [r9 + r8], gs:[r8] or [r11 + offset] for the memory operand. A REX prefix makes AH..BH unreachable:
// the halves are swapped around the instruction. (Where a window might make it fault in between, such go by
// lookups.)
void Emitter::copy_at(const Instruction& insn, MemoryForm form) {
  const bool high = names_high_byte(insn);
  const u8 reg = high ? insn.modrm_reg() & 3 : insn.modrm_reg();
  const auto swap_halves = [&] {
    const Because because(*this, EmissionReason::high_byte);
    assembler_.xchg(gpb_lo(reg), gpb_hi(reg));
  };
  const Because because(*this, form == MemoryForm::window   ? EmissionReason::window
                               : form == MemoryForm::lookup ? EmissionReason::ram
                                                            : EmissionReason::shared_ram);
  if (high) swap_halves();
  mark();
  if (form == MemoryForm::window) assembler_.db(0x65);
  emit_prefixes(insn);
  assembler_.db(form == MemoryForm::lookup ? 0x43 : 0x41);  // REX.XB or REX.B
  emit_opcode(insn);
  switch (form) {
    case MemoryForm::lookup:
      assembler_.db(static_cast<u8>(reg << 3 | 4));
      assembler_.db(0x01);  // SIB: r9 + r8
      break;
    case MemoryForm::window:
      assembler_.db(static_cast<u8>(reg << 3));
      break;
    case MemoryForm::shared:
      assembler_.db(static_cast<u8>(0x80 | reg << 3 | 3));  // r11 and a displacement of 32 bits
      assembler_.dd(static_cast<u32>(shared_offset_));
      break;
  }
  emit_tail(insn);
  if (high) swap_halves();
}

}  // namespace ringshift::bt
