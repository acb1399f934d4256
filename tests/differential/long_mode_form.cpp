// LongModeForms: prefixes and operands as they are, but for what means something else in 64-bit mode.
#include "tests/differential/long_mode_form.h"

#include <algorithm>

#include "tests/differential/zydis_decoding.h"

namespace ringshift::differential {

namespace {

constexpr u8 kAddressSize = 0x67;

// Bytes, as many as an instruction may have.
class Bytes {
 public:
  explicit Bytes(LongModeForm& form) : form_(form) {}
  void put(u8 byte) {
    if (form_.length < sizeof form_.bytes)
      form_.bytes[form_.length++] = byte;
    else
      too_long_ = true;
  }
  void put(std::span<const u8> bytes) {
    for (const u8 byte : bytes) put(byte);
  }
  bool too_long() const { return too_long_; }

 private:
  LongModeForm& form_;
  bool too_long_ = false;
};

bool is_conditional(const ZydisDecodedInstruction& insn) {
  return insn.meta.category == ZYDIS_CATEGORY_COND_BR && insn.raw.imm[0].is_relative;
}

// LOOP and JECXZ: the address size is their counter's.
bool counts(const ZydisDecodedInstruction& insn) {
  return insn.opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && insn.opcode >= 0xe0 && insn.opcode <= 0xe3;
}

bool is_short_inc_or_dec(const ZydisDecodedInstruction& insn) {
  return insn.opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && (insn.opcode & 0xf0) == 0x40;
}

// [disp32] is [RIP + disp32] in 64-bit mode.
bool is_absolute(const ZydisDecodedInstruction& insn) {
  return insn.raw.modrm.offset != 0 && insn.raw.modrm.mod == 0 && insn.raw.modrm.rm == 5;
}

bool uses_memory(const ZydisDecoding& decoded) {
  return std::ranges::any_of(decoded.all_operands(), [](const ZydisDecodedOperand& operand) {
    return operand.type == ZYDIS_OPERAND_TYPE_MEMORY;
  });
}

// The stack pointer's width is the mode's, and segment registers hold the host's selectors.
bool depends_on_mode(const ZydisDecoding& decoded) {
  const ZydisDecodedInstruction& insn = decoded.insn;
  switch (insn.meta.category) {
    case ZYDIS_CATEGORY_COND_BR:
      // With an operand-size prefix EIP is cut to 16 bits, or isn't.
      return !is_conditional(insn) || (insn.attributes & ZYDIS_ATTRIB_HAS_OPERANDSIZE) != 0;
    case ZYDIS_CATEGORY_UNCOND_BR:
    case ZYDIS_CATEGORY_CALL:
    case ZYDIS_CATEGORY_RET:
    case ZYDIS_CATEGORY_INTERRUPT:
      return true;
    default:
      break;
  }
  if (insn.mnemonic == ZYDIS_MNEMONIC_FXSAVE) return true;  // stores XMM8 to 15 too
  for (const ZydisDecodedOperand& operand : decoded.all_operands()) {
    if (operand.type != ZYDIS_OPERAND_TYPE_REGISTER) continue;
    if (ZydisRegisterGetClass(operand.reg.value) == ZYDIS_REGCLASS_SEGMENT) return true;
    if (operand.visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN &&
        ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, operand.reg.value) == ZYDIS_REGISTER_RSP)
      return true;
  }
  // A write to CS is #GP; 64-bit mode doesn't look at that prefix.
  return (insn.attributes & ZYDIS_ATTRIB_HAS_SEGMENT_CS) != 0 && uses_memory(decoded);
}

bool same_register(ZydisRegister a, ZydisRegister b) {
  if (a == b) return true;
  const ZydisRegisterClass of_both = ZydisRegisterGetClass(a);
  return of_both == ZydisRegisterGetClass(b) &&
         (of_both == ZYDIS_REGCLASS_FLAGS || of_both == ZYDIS_REGCLASS_IP);
}

bool same_operand(const ZydisDecodedOperand& a, const ZydisDecodedOperand& b) {
  if (a.type != b.type) return false;
  switch (a.type) {
    case ZYDIS_OPERAND_TYPE_REGISTER:
      return same_register(a.reg.value, b.reg.value);
    case ZYDIS_OPERAND_TYPE_MEMORY:
      return a.size == b.size && a.mem.base == b.mem.base && a.mem.index == b.mem.index &&
             a.mem.scale == b.mem.scale &&
             static_cast<u32>(a.mem.disp.value) == static_cast<u32>(b.mem.disp.value);
    case ZYDIS_OPERAND_TYPE_IMMEDIATE:
      return a.imm.is_relative || (a.size == b.size && a.imm.value.u == b.imm.value.u);
    default:
      return false;
  }
}

bool same(const ZydisDecoding& a, const ZydisDecoding& b) {
  if (a.insn.mnemonic != b.insn.mnemonic || a.insn.operand_count != b.insn.operand_count) return false;
  if (is_conditional(a.insn)) return true;
  if (a.insn.operand_width != b.insn.operand_width) return false;
  return std::ranges::equal(a.all_operands(), b.all_operands(), same_operand);
}

void put_branch(const ZydisDecodedInstruction& insn, LongModeForm& form, Bytes& out) {
  form.displacement = static_cast<i32>(insn.raw.imm[0].value.s);
  if (counts(insn)) {
    out.put(kAddressSize);
    out.put(insn.opcode);
    out.put(LongModeForm::kJumpLength);
    return;
  }
  out.put(0x0f);
  out.put(static_cast<u8>(0x80 | (insn.opcode & 15)));
  const u8 past_jump[4] = {LongModeForm::kJumpLength, 0, 0, 0};
  out.put(past_jump);
}

void put_plain(const ZydisDecoding& decoded, std::span<const u8> code, Bytes& out) {
  const ZydisDecodedInstruction& insn = decoded.insn;
  const auto whole = code.first(insn.length);
  if (uses_memory(decoded)) out.put(kAddressSize);
  out.put(whole.first(insn.raw.prefix_count));
  const unsigned opcode = insn.raw.prefix_count;
  if (is_short_inc_or_dec(insn)) {
    out.put(0xff);
    out.put(static_cast<u8>(0xc0 | (insn.opcode & 15)));
    return;
  }
  if (!is_absolute(insn)) return out.put(whole.subspan(opcode));
  constexpr u8 kNoBaseNoIndex = 0x25;
  out.put(whole.subspan(opcode, insn.raw.modrm.offset - opcode));
  out.put(static_cast<u8>((whole[insn.raw.modrm.offset] & ~7) | 4));
  out.put(kNoBaseNoIndex);
  out.put(whole.subspan(insn.raw.modrm.offset + 1u));
}

}  // namespace

std::optional<LongModeForm> LongModeForms::find(std::span<const u8> code) const {
  ZydisDecoding decoded;
  if (!decode(legacy_, code, decoded) || depends_on_mode(decoded)) return {};
  const ZydisDecodedInstruction& insn = decoded.insn;
  if (insn.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY || insn.address_width != 32) return {};

  LongModeForm form;
  form.guest_length = insn.length;
  Bytes out(form);
  is_conditional(insn) ? put_branch(insn, form, out) : put_plain(decoded, code, out);
  ZydisDecoding again;
  if (out.too_long() || !decode(long_, {form.bytes, form.length}, again) ||
      again.insn.length != form.length || !same(decoded, again))
    return {};
  return form;
}

}  // namespace ringshift::differential
