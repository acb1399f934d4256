// Which operands are live.
#include "translator/live_operands.h"

#include <cstring>

#include "translator/translate.h"

namespace ringshift::bt {

namespace {

// Other bytes at the same place, so many times, before an operand is read in place: one that is patched once
// or twice (a relocation, an inline cache) stays a constant. A branch loses its link by it.
constexpr u32 kPatience = 3, kBranchPatience = 8;

u8 displacement_bytes(const Instruction& insn) {
  const bool moffs = insn.map == OpcodeMap::one_byte && insn.opcode >= 0xa0 && insn.opcode <= 0xa3;
  if (insn.address_size != 4) return 0;
  if (moffs) return 4;
  if (!insn.memory_form()) return 0;
  const u8 mod = insn.modrm >> 6;
  if (mod != 0) return mod == 1 ? 1 : 4;
  const bool sib = insn.modrm_rm() == 4;
  const u8 base = sib ? insn.bytes[insn.modrm_offset + 1] & 7 : insn.modrm_rm();
  return base == 5 ? 4 : 0;
}

bool differs(const u8* now, const BlockSource& old, u32 at, FieldPlace field) {
  return std::memcmp(now + field.offset, old.bytes.data() + at + field.offset, field.bytes) != 0;
}

// Whether bytes other than the fields' differ.
bool other_instruction(const Instruction& insn, const BlockSource& old, u32 at) {
  const FieldPlace fields[] = {place_of(insn, kLiveImmediate), place_of(insn, kLiveDisplacement)};
  for (u32 i = 0; i < insn.length; ++i) {
    bool operand = false;
    for (const FieldPlace& field : fields)
      operand = operand || (i >= field.offset && i < u32{field.offset} + field.bytes);
    if (!operand && insn.bytes[i] != old.bytes[at + i]) return true;
  }
  return false;
}

bool immediate_readable(const Instruction& insn, Treatment treatment) {
  switch (treatment) {
    case Treatment::identity:
      return takes_live_immediate(insn);
    case Treatment::push:
      return insn.operands[0].kind == OperandKind::immediate;
    case Treatment::jump:
    case Treatment::call:
      return insn.operand_size == 4;
    default:
      return false;
  }
}

bool displacement_readable(const Instruction& insn, Treatment treatment) {
  switch (treatment) {
    case Treatment::identity:
    case Treatment::moffs:
    case Treatment::lea:
    case Treatment::bit_string:
    case Treatment::push:
    case Treatment::pop:
    case Treatment::jump_indirect:
    case Treatment::call_indirect:
      return !names_high_byte(insn);
    default:
      return false;
  }
}

}  // namespace

FieldPlace place_of(const Instruction& insn, OperandField field) {
  const u8 immediate = insn.immediate_offset;
  if (field == kLiveImmediate) {
    if (immediate == 0) return {};
    return {immediate, static_cast<u8>(insn.length - immediate)};
  }
  const u8 bytes = displacement_bytes(insn);
  if (bytes == 0) return {};
  return {static_cast<u8>((immediate != 0 ? immediate : insn.length) - bytes), bytes};
}

void mark_live_operands(GuestBlock& guest, const TranslationBlock& before) {
  const BlockSource& old = *before.source;
  guest.versions = old.versions + 1;
  for (GuestInstruction& next : guest.instructions) {
    const Instruction& insn = next.insn;
    const u32 at = next.eip - guest.eip;
    if (at + insn.length > old.bytes.size() || other_instruction(insn, old, at)) return;
    const bool branch = insn.operand_count == 1 && insn.operands[0].kind == OperandKind::relative;
    const bool due = guest.versions >= (branch ? kBranchPatience : kPatience);
    for (const OperandField field : {kLiveImmediate, kLiveDisplacement}) {
      const FieldPlace place = place_of(insn, field);
      if (place.bytes == 0) continue;
      const bool live = old.has_live(at + place.offset);
      if (live || (due && differs(insn.bytes, old, at, place))) next.live |= field;
    }
  }
}

u8 readable_fields(const GuestInstruction& guest, Treatment treatment) {
  u8 fields = 0;
  const auto has = [&](OperandField field) {
    return (guest.live & field) != 0 && place_of(guest.insn, field).bytes != 0;
  };
  if (has(kLiveImmediate) && immediate_readable(guest.insn, treatment)) fields |= kLiveImmediate;
  if (has(kLiveDisplacement) && displacement_readable(guest.insn, treatment)) fields |= kLiveDisplacement;
  return fields;
}

}  // namespace ringshift::bt
