// Decoder: from code bytes to an Instruction, by Zydis; what CPUID lacks is undefined.
#include <Zydis/Zydis.h>

#include <algorithm>
#include <optional>

#include "cpu-model/cpuid.h"
#include "cpu-model/instruction.h"

namespace ringshift {

namespace {

struct IsaFeature {
  ZydisISASet isa;
  std::optional<CpuFeature> feature;  // none: in every CPU that the model offers
};

// The instruction sets that may be decoded at all, and the feature each needs. What is not here is #UD.
constexpr IsaFeature kIsaFeatures[] = {
    {ZYDIS_ISA_SET_I86, {}},
    {ZYDIS_ISA_SET_I186, {}},
    {ZYDIS_ISA_SET_I286PROTECTED, {}},
    {ZYDIS_ISA_SET_I286REAL, {}},
    {ZYDIS_ISA_SET_I386, {}},
    {ZYDIS_ISA_SET_I486, {}},
    {ZYDIS_ISA_SET_I486REAL, {}},
    {ZYDIS_ISA_SET_PENTIUMREAL, {}},
    {ZYDIS_ISA_SET_PPRO, {}},
    {ZYDIS_ISA_SET_FAT_NOP, {}},
    {ZYDIS_ISA_SET_LAHF, {}},
    {ZYDIS_ISA_SET_PAUSE, {}},
    {ZYDIS_ISA_SET_RDPMC, {}},
    {ZYDIS_ISA_SET_PREFETCH_NOP, {}},
    {ZYDIS_ISA_SET_CMOV, CpuFeature::cmov},
    {ZYDIS_ISA_SET_X87, CpuFeature::fpu},
    {ZYDIS_ISA_SET_FCMOV, CpuFeature::cmov},
    {ZYDIS_ISA_SET_PENTIUMMMX, CpuFeature::mmx},
    {ZYDIS_ISA_SET_FXSAVE, CpuFeature::fxsr},
    {ZYDIS_ISA_SET_SSE, CpuFeature::sse},
    {ZYDIS_ISA_SET_SSEMXCSR, CpuFeature::sse},
    {ZYDIS_ISA_SET_SSE_PREFETCH, CpuFeature::sse},
    {ZYDIS_ISA_SET_SSE2, CpuFeature::sse2},
    {ZYDIS_ISA_SET_SSE2MMX, CpuFeature::sse2},
    {ZYDIS_ISA_SET_CLFSH, CpuFeature::sse2},
    {ZYDIS_ISA_SET_SSE3, CpuFeature::sse3},
    {ZYDIS_ISA_SET_SSE3X87, CpuFeature::sse3},
    {ZYDIS_ISA_SET_SSSE3, CpuFeature::ssse3},
    {ZYDIS_ISA_SET_SSSE3MMX, CpuFeature::ssse3},
    {ZYDIS_ISA_SET_SSE4, CpuFeature::sse41},
    {ZYDIS_ISA_SET_SSE42, CpuFeature::sse42},
    {ZYDIS_ISA_SET_POPCNT, CpuFeature::popcnt},
    {ZYDIS_ISA_SET_AES, CpuFeature::aes},
    {ZYDIS_ISA_SET_PCLMULQDQ, CpuFeature::pclmulqdq},
    {ZYDIS_ISA_SET_MOVBE, CpuFeature::movbe},
    {ZYDIS_ISA_SET_RDTSCP, CpuFeature::rdtscp},
};

ZydisDecoder make_zydis(CodeMode mode) {
  ZydisDecoder decoder;
  switch (mode) {
    // Not Zydis' real mode, which lacks SYSENTER: in real mode that is #GP, and in v8086 mode it works.
    case CodeMode::real16:
    case CodeMode::protected16:
      ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16);
      break;
    case CodeMode::protected32:
    case CodeMode::real32:
      ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
      break;
  }
  // F3 0F BC is BSF on a CPU without BMI1, 0F 1E is a NOP without CET, and so on.
  for (const auto feature :
       {ZYDIS_DECODER_MODE_MPX, ZYDIS_DECODER_MODE_CET, ZYDIS_DECODER_MODE_LZCNT, ZYDIS_DECODER_MODE_TZCNT,
        ZYDIS_DECODER_MODE_WBNOINVD, ZYDIS_DECODER_MODE_CLDEMOTE})
    ZydisDecoderEnableMode(&decoder, feature, ZYAN_FALSE);
  return decoder;
}

DecodeStatus status_of(ZyanStatus status) {
  if (ZYAN_SUCCESS(status)) return DecodeStatus::ok;
  if (status == ZYDIS_STATUS_NO_MORE_DATA) return DecodeStatus::truncated;
  if (status == ZYDIS_STATUS_INSTRUCTION_TOO_LONG) return DecodeStatus::too_long;
  return DecodeStatus::undefined;
}

u8 gpr_number(ZydisRegister reg) {
  return reg == ZYDIS_REGISTER_NONE ? kNoRegister : static_cast<u8>(ZydisRegisterGetId(reg) & 7);
}

Seg segment_of(ZydisRegister reg) {
  const i16 id = ZydisRegisterGetId(reg);
  return id >= 0 && id < static_cast<i16>(kSegCount) ? static_cast<Seg>(id) : Seg::ds;
}

OperandKind kind_of_class(ZydisRegisterClass register_class) {
  switch (register_class) {
    case ZYDIS_REGCLASS_GPR8:
      return OperandKind::gpr8;
    case ZYDIS_REGCLASS_GPR16:
      return OperandKind::gpr16;
    case ZYDIS_REGCLASS_GPR32:
      return OperandKind::gpr32;
    case ZYDIS_REGCLASS_SEGMENT:
      return OperandKind::segment;
    case ZYDIS_REGCLASS_CONTROL:
      return OperandKind::control;
    case ZYDIS_REGCLASS_DEBUG:
      return OperandKind::debug;
    case ZYDIS_REGCLASS_X87:
      return OperandKind::st;
    case ZYDIS_REGCLASS_MMX:
      return OperandKind::mmx;
    case ZYDIS_REGCLASS_XMM:
      return OperandKind::xmm;
    default:
      return OperandKind::other;
  }
}

void fill_register(const ZydisDecodedOperand& from, Operand& to) {
  const ZydisRegister reg = from.reg.value;
  to.kind = kind_of_class(ZydisRegisterGetClass(reg));
  if (to.kind == OperandKind::gpr8) {
    // AL CL DL BL AH CH DH BH stand in this order in the enumeration.
    to.reg = static_cast<u8>(reg - ZYDIS_REGISTER_AL);
  } else {
    to.reg = static_cast<u8>(ZydisRegisterGetId(reg));
  }
}

void fill_memory(const ZydisDecodedOperand& from, Instruction& insn) {
  insn.segment = segment_of(from.mem.segment);
  insn.base = gpr_number(from.mem.base);
  insn.index = gpr_number(from.mem.index);
  insn.scale = from.mem.scale == 0 ? u8{1} : from.mem.scale;
  insn.displacement = static_cast<i32>(from.mem.disp.value);
  insn.memory_written = (from.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
}

void fill_operands(const ZydisDecodedInstruction& zydis, const ZydisDecodedOperand* operands,
                   Instruction& insn) {
  insn.operand_count = std::min<u8>(zydis.operand_count_visible, 4);
  bool memory_seen = false;
  unsigned immediates = 0;
  for (unsigned i = 0; i < insn.operand_count; ++i) {
    const ZydisDecodedOperand& from = operands[i];
    Operand& to = insn.operands[i];
    to.bytes = static_cast<u16>(from.size / 8);
    to.hidden = from.visibility != ZYDIS_OPERAND_VISIBILITY_EXPLICIT;
    switch (from.type) {
      case ZYDIS_OPERAND_TYPE_REGISTER:
        fill_register(from, to);
        break;
      case ZYDIS_OPERAND_TYPE_MEMORY:
        to.kind = OperandKind::memory;
        if (!memory_seen) fill_memory(from, insn);
        memory_seen = true;
        break;
      case ZYDIS_OPERAND_TYPE_POINTER:
        to.kind = OperandKind::far_pointer;
        insn.immediate = from.ptr.offset;
        insn.immediate2 = from.ptr.segment;
        break;
      case ZYDIS_OPERAND_TYPE_IMMEDIATE:
        to.kind = from.imm.is_relative ? OperandKind::relative : OperandKind::immediate;
        (immediates++ == 0 ? insn.immediate : insn.immediate2) = static_cast<u32>(from.imm.value.u);
        break;
      default:
        to.kind = OperandKind::other;
        break;
    }
  }
  // String instructions hide their operands; the source's segment is all that varies.
  for (unsigned i = insn.operand_count; i < zydis.operand_count && !memory_seen; ++i) {
    if (operands[i].type != ZYDIS_OPERAND_TYPE_MEMORY) continue;
    if (operands[i].mem.base != ZYDIS_REGISTER_SI && operands[i].mem.base != ZYDIS_REGISTER_ESI &&
        operands[i].mem.base != ZYDIS_REGISTER_BX && operands[i].mem.base != ZYDIS_REGISTER_EBX)
      continue;
    insn.segment = segment_of(operands[i].mem.segment);
  }
}

u8 legacy_prefixes(const ZydisDecodedInstruction& zydis) {
  u8 present = 0;
  for (unsigned i = 0; i < zydis.raw.prefix_count; ++i) {
    switch (zydis.raw.prefixes[i].value) {
      case 0xf0:
        present |= kPrefixLock;
        break;
      // The last of F2 and F3 counts.
      case 0xf2:
        present = static_cast<u8>((present & ~kPrefixRep) | kPrefixRepne);
        break;
      case 0xf3:
        present = static_cast<u8>((present & ~kPrefixRepne) | kPrefixRep);
        break;
      case 0x66:
        present |= kPrefixOperandSize;
        break;
      case 0x67:
        present |= kPrefixAddressSize;
        break;
      default:
        present |= kPrefixSegment;
        break;
    }
  }
  return present;
}

OpcodeMap map_of(ZydisOpcodeMap map) {
  switch (map) {
    case ZYDIS_OPCODE_MAP_0F:
      return OpcodeMap::map_0f;
    case ZYDIS_OPCODE_MAP_0F38:
      return OpcodeMap::map_0f38;
    case ZYDIS_OPCODE_MAP_0F3A:
      return OpcodeMap::map_0f3a;
    default:
      return OpcodeMap::one_byte;
  }
}

void fill(const ZydisDecodedInstruction& zydis, const ZydisDecodedOperand* operands, const u8* bytes,
          Instruction& insn) {
  insn = Instruction{};
  insn.mnemonic = static_cast<u16>(zydis.mnemonic);
  insn.length = zydis.length;
  insn.prefixes = legacy_prefixes(zydis);
  insn.prefix_length = zydis.raw.prefix_count;
  insn.map = map_of(zydis.opcode_map);
  insn.opcode = zydis.opcode;
  // Zydis gives the operand's own width for byte instructions; the effective operand size is what prefixes
  // say.
  const bool default32 = zydis.machine_mode == ZYDIS_MACHINE_MODE_LEGACY_32;
  insn.operand_size = default32 != insn.has_prefix(kPrefixOperandSize) ? 4 : 2;
  insn.address_size = zydis.address_width / 8;
  insn.has_modrm = (zydis.attributes & ZYDIS_ATTRIB_HAS_MODRM) != 0;
  if (insn.has_modrm) {
    const auto& modrm = zydis.raw.modrm;
    insn.modrm = static_cast<u8>(modrm.mod << 6 | modrm.reg << 3 | modrm.rm);
    insn.modrm_offset = modrm.offset;
  }
  insn.immediate_offset = zydis.raw.imm[0].offset;
  insn.isa_set = static_cast<u16>(zydis.meta.isa_set);
  if (zydis.cpu_flags != nullptr) {
    const ZydisAccessedFlags& flags = *zydis.cpu_flags;
    insn.flags_read = static_cast<u32>(flags.tested);
    insn.flags_undefined = static_cast<u32>(flags.undefined);
    insn.flags_written = static_cast<u32>(flags.modified | flags.set_0 | flags.set_1 | flags.undefined);
  }
  std::copy_n(bytes, zydis.length, insn.bytes);
  fill_operands(zydis, operands, insn);
}

}  // namespace

struct Decoder::Modes {
  ZydisDecoder by_mode[4] = {make_zydis(CodeMode::real16), make_zydis(CodeMode::protected16),
                             make_zydis(CodeMode::protected32), make_zydis(CodeMode::real32)};
};

Decoder::Decoder(const CpuidTable& cpuid) : modes_(std::make_unique<Modes>()) {
  static_assert(ZYDIS_ISA_SET_MAX_VALUE < sizeof isa_);
  for (const auto& [isa, feature] : kIsaFeatures) isa_[isa] = !feature || cpuid.has(*feature);
}

Decoder::~Decoder() = default;

DecodeStatus Decoder::decode(std::span<const u8> bytes, CodeMode mode, Instruction& out) const {
  const ZydisDecoder& zydis = modes_->by_mode[static_cast<unsigned>(mode)];
  ZydisDecoderContext context;
  ZydisDecodedInstruction instruction;
  const auto size = std::min<std::size_t>(bytes.size(), 15);
  const ZyanStatus status = ZydisDecoderDecodeInstruction(&zydis, &context, bytes.data(), size, &instruction);
  // 15 bytes that do not end an instruction are one that is too long, whatever follows.
  if (status == ZYDIS_STATUS_NO_MORE_DATA && size == 15) return DecodeStatus::too_long;
  if (!ZYAN_SUCCESS(status)) return status_of(status);
  if (instruction.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY || !isa_[instruction.meta.isa_set])
    return DecodeStatus::undefined;
  // ARPL, LAR, LSL, LLDT, LTR, SLDT, STR, VERR, VERW (SDM vol. 3B 21.3).
  const bool real_segments = mode == CodeMode::real16 || mode == CodeMode::real32;
  if (real_segments && instruction.meta.isa_set == ZYDIS_ISA_SET_I286PROTECTED)
    return DecodeStatus::undefined;
  ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
  if (!ZYAN_SUCCESS(
          ZydisDecoderDecodeOperands(&zydis, &context, &instruction, operands, instruction.operand_count)))
    return DecodeStatus::undefined;
  fill(instruction, operands, bytes.data(), out);
  return DecodeStatus::ok;
}

}  // namespace ringshift
