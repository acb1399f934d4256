// InstructionSource: random bytes with a likely memory operand, kept if the decoder and the rules agree.
#include "tests/differential/instruction_source.h"

#include <cstring>

#include "tests/differential/flat_machine.h"

namespace ringshift::differential {

namespace {

// The bytes of a candidate: prefixes, opcode, ModRM with its tail, then random immediates.
struct Candidate {
  u8 bytes[40];
  unsigned length = 0;
  void put(u8 byte) { bytes[length++] = byte; }
  void put32(u32 value) {
    std::memcpy(bytes + length, &value, 4);
    length += 4;
  }
};

void put_prefixes(Random& random, Candidate& out, bool* small_address) {
  if (random.chance(15)) out.put(0x66);
  if (random.chance(4)) {
    out.put(0x67);
    *small_address = true;
  }
  if (random.chance(4)) out.put(0xf0);
  if (random.chance(16)) out.put(random.chance(50) ? 0xf2 : 0xf3);
  static constexpr u8 kSegments[] = {0x26, 0x2e, 0x36, 0x3e};
  if (random.chance(4)) out.put(random.pick(kSegments));
}

void put_opcode(Random& random, Candidate& out) {
  const u32 map = random.below(100);
  if (map < 45) {
    u8 opcode = random.byte();
    while (opcode == 0x0f) opcode = random.byte();
    if (random.chance(12)) opcode = static_cast<u8>(0xd8 | (opcode & 7));  // x87
    if (random.chance(6)) opcode = static_cast<u8>(0xa4 + random.below(12));
    out.put(opcode);
    return;
  }
  out.put(0x0f);
  if (map < 88) {
    out.put(random.byte());
  } else {
    out.put(map < 95 ? 0x38 : 0x3a);
    u8 opcode = random.byte();
    if (map >= 95 && random.chance(60)) opcode &= 0x6f;
    out.put(opcode);
  }
}

int pick_register(Random& random, u8 set) {
  if (set == 0) return -1;
  for (;;) {
    const u32 r = random.below(8);
    if ((set >> r & 1) != 0) return static_cast<int>(r);
  }
}

u32 arena_address(Random& random, bool low_arena) {
  const u32 kind = random.below(100);
  if (kind < 70) return kArenas[kData].base + random.below(kArenas[kData].size() - 16) / 16 * 16;
  if (kind < 85) return kArenas[kData].base + random.below(kArenas[kData].size() + 64);
  if (kind < 90) return kArenas[kData].base + kPageSize * (1 + random.below(4)) - random.below(20);
  if (kind < 93) return kArenas[kData].base - random.below(20);
  if (kind < 96) return kArenas[kReadOnly].base + random.below(kArenas[kReadOnly].size());
  if (low_arena) return kArenas[kLow].base + random.below(kArenas[kLow].size());
  return kArenas[kStack].base + random.below(kArenas[kStack].size());
}

i32 small_displacement(Random& random) {
  if (random.chance(50)) return static_cast<i32>(random.below(8)) * 16;
  return static_cast<i32>(random.below(512)) - 128;
}

// mod, rm and what follows, for [base + index * scale + displacement] that likely exists.
void put_memory_form(Random& random, const RegisterKnowledge& knowledge, u8 reg,
                     const InstructionSource::Place& place, Candidate& out) {
  const int base =
      random.chance(85) ? pick_register(random, knowledge.pointers) : static_cast<int>(random.below(8));
  if (base < 0 || random.chance(25)) {
    out.put(static_cast<u8>(reg << 3 | 5));
    out.put32(arena_address(random, place.low_arena) - place.data_base);
    return;
  }
  int index = random.chance(25) ? pick_register(random, knowledge.small) : -1;
  if (random.chance(3)) index = static_cast<int>(random.below(8));
  if (index == 4) index = -1;
  const i32 displacement = small_displacement(random);
  const bool wide = displacement < -128 || displacement > 127 || random.chance(10);
  const bool none = base != 5 && random.chance(20);
  const u8 mod = none ? 0 : wide ? 2 : 1;
  if (index >= 0 || base == 4) {
    out.put(static_cast<u8>(mod << 6 | reg << 3 | 4));
    out.put(static_cast<u8>(random.below(4) << 6 | (index >= 0 ? index : 4) << 3 | base));
  } else {
    out.put(static_cast<u8>(mod << 6 | reg << 3 | base));
  }
  if (mod == 2) out.put32(static_cast<u32>(displacement));
  if (mod == 1) out.put(static_cast<u8>(displacement));
}

// 16-bit address forms in small segments: pointers' low halves are offsets.
void put_small_segment_form(Random& random, u8 reg, const InstructionSource::Place& place, Candidate& out) {
  const auto put16 = [&](u32 value) {
    out.put(static_cast<u8>(value));
    out.put(static_cast<u8>(value >> 8));
  };
  const u8 rm = static_cast<u8>(random.chance(80) ? 4 + random.below(4) : random.below(8));
  if (random.chance(25)) {
    out.put(static_cast<u8>(reg << 3 | 6));
    return put16(arena_address(random, false) - place.data_base);
  }
  const u8 mod = static_cast<u8>(rm == 6 ? 1 + random.below(2) : random.below(3));
  out.put(static_cast<u8>(mod << 6 | reg << 3 | rm));
  const i32 displacement = small_displacement(random);
  if (mod == 1) out.put(static_cast<u8>(displacement));
  if (mod == 2) put16(random.chance(5) ? random.next32() : static_cast<u32>(displacement));
}

// 16-bit address forms: a displacement alone that hits the low arena, or anything.
void put_small_form(Random& random, u8 reg, const InstructionSource::Place& place, Candidate& out) {
  if (place.small) return put_small_segment_form(random, reg, place, out);
  if (random.chance(60)) {
    out.put(static_cast<u8>(reg << 3 | 6));
    const u32 address = kArenas[kLow].base + random.below(kArenas[kLow].size());
    out.put(static_cast<u8>(address));
    out.put(static_cast<u8>(address >> 8));
  } else {
    out.put(static_cast<u8>(random.below(192) & ~0x38u) | static_cast<u8>(reg << 3));
  }
}

// Differs by design, needs descriptors that only one side has, or leaves user level.
bool excluded(ZydisMnemonic mnemonic) {
  switch (mnemonic) {
    case ZYDIS_MNEMONIC_CPUID:
    case ZYDIS_MNEMONIC_RDTSC:
    case ZYDIS_MNEMONIC_RDTSCP:
    case ZYDIS_MNEMONIC_RDPMC:
    case ZYDIS_MNEMONIC_SGDT:
    case ZYDIS_MNEMONIC_SIDT:
    case ZYDIS_MNEMONIC_SLDT:
    case ZYDIS_MNEMONIC_STR:
    case ZYDIS_MNEMONIC_SMSW:
    case ZYDIS_MNEMONIC_LAR:
    case ZYDIS_MNEMONIC_LSL:
    case ZYDIS_MNEMONIC_VERR:
    case ZYDIS_MNEMONIC_VERW:
    case ZYDIS_MNEMONIC_LDS:
    case ZYDIS_MNEMONIC_LES:
    case ZYDIS_MNEMONIC_LFS:
    case ZYDIS_MNEMONIC_LGS:
    case ZYDIS_MNEMONIC_LSS:
    case ZYDIS_MNEMONIC_INT:
    case ZYDIS_MNEMONIC_IRET:
    case ZYDIS_MNEMONIC_IRETD:
    case ZYDIS_MNEMONIC_SYSENTER:
    case ZYDIS_MNEMONIC_SYSEXIT:
    case ZYDIS_MNEMONIC_SYSCALL:
    case ZYDIS_MNEMONIC_SYSRET:
    // They store FIP and FDP; the templates clear those.
    case ZYDIS_MNEMONIC_FNSTENV:
    case ZYDIS_MNEMONIC_FNSAVE:
    case ZYDIS_MNEMONIC_FXSAVE:
    case ZYDIS_MNEMONIC_XBEGIN:
    case ZYDIS_MNEMONIC_MONITOR:
    case ZYDIS_MNEMONIC_MWAIT:
      return true;
    default:
      return false;
  }
}

// Behaves otherwise on this host than on the CPU that the model describes, or than on other hosts.
bool differs_by_host(const ZydisDecodedInstruction& insn) {
  bool any_repeat_prefix = false;
  for (unsigned i = 0; i < insn.raw.prefix_count; ++i)
    any_repeat_prefix |= insn.raw.prefixes[i].value == 0xf2 || insn.raw.prefixes[i].value == 0xf3;
  switch (insn.mnemonic) {
    case ZYDIS_MNEMONIC_INT1:  // AMD under a hypervisor saves the EIP of INT1 itself
      return true;
    case ZYDIS_MNEMONIC_LOOPE:  // AMD: F2 and F3 choose the condition
    case ZYDIS_MNEMONIC_LOOPNE:
      return any_repeat_prefix;
    case ZYDIS_MNEMONIC_BSF:  // with F3, TZCNT and LZCNT on a host that has them
    case ZYDIS_MNEMONIC_BSR:
      return any_repeat_prefix;
    default:
      // 0F 0D with a register is a NOP for Intel (SDM vol. 2 appendix A), #UD for AMD.
      return insn.opcode_map == ZYDIS_OPCODE_MAP_0F && insn.opcode == 0x0d && insn.raw.modrm.mod == 3;
  }
}

bool is_relative_branch(const ZydisDecodedInstruction& insn) {
  return insn.raw.imm[0].is_relative &&
         (insn.meta.category == ZYDIS_CATEGORY_COND_BR || insn.meta.category == ZYDIS_CATEGORY_UNCOND_BR ||
          insn.meta.category == ZYDIS_CATEGORY_CALL);
}

int gpr_of(ZydisRegister reg) {
  switch (ZydisRegisterGetClass(reg)) {
    case ZYDIS_REGCLASS_GPR8: {
      const int id = ZydisRegisterGetId(reg);
      return id < 4 ? id : (id - 4) & 3;
    }
    case ZYDIS_REGCLASS_GPR16:
    case ZYDIS_REGCLASS_GPR32:
      return ZydisRegisterGetId(reg);
    default:
      return -1;
  }
}

}  // namespace

InstructionSource::InstructionSource(const CpuidTable& cpuid)
    : decoder_(cpuid),
      zydis_{zydis_decoder(ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32),
             zydis_decoder(ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16)} {}

bool InstructionSource::acceptable(Random& random, const u8* bytes, unsigned length,
                                   const ZydisDecoding& decoded, Limits limits, bool code16) const {
  const ZydisDecodedInstruction& insn = decoded.insn;
  if (insn.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY || excluded(insn.mnemonic)) return false;
  Instruction ours;
  const CodeMode mode = code16 ? CodeMode::protected16 : CodeMode::protected32;
  if (decoder_.decode({bytes, length}, mode, ours) != DecodeStatus::ok) return false;
  if (differs_by_host(insn)) return false;
  for (unsigned i = 0; i < insn.raw.prefix_count; ++i)
    if (insn.raw.prefixes[i].value == 0x64 || insn.raw.prefixes[i].value == 0x65) return false;
  if (insn.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR) return false;
  if ((insn.attributes & ZYDIS_ATTRIB_IS_PRIVILEGED) != 0 && !random.chance(3)) return false;
  const auto category = insn.meta.category;
  const bool transfers = category == ZYDIS_CATEGORY_COND_BR || category == ZYDIS_CATEGORY_UNCOND_BR ||
                         category == ZYDIS_CATEGORY_CALL || category == ZYDIS_CATEGORY_RET;
  if (transfers && limits == Limits::loop_body) return false;
  if (transfers && !insn.raw.imm[0].is_relative && !random.chance(10)) return false;
  if (category == ZYDIS_CATEGORY_INTERRUPT && !random.chance(30)) return false;
  if (insn.mnemonic == ZYDIS_MNEMONIC_UD0 || insn.mnemonic == ZYDIS_MNEMONIC_UD1 ||
      insn.mnemonic == ZYDIS_MNEMONIC_UD2 || category == ZYDIS_CATEGORY_IO ||
      category == ZYDIS_CATEGORY_IOSTRINGOP)
    if (!random.chance(3)) return false;

  for (const ZydisDecodedOperand& operand : decoded.all_operands()) {
    const bool writes = (operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
    if (operand.type != ZYDIS_OPERAND_TYPE_REGISTER || !writes) continue;
    if (ZydisRegisterGetClass(operand.reg.value) == ZYDIS_REGCLASS_SEGMENT) return false;
    const int gpr = gpr_of(operand.reg.value);
    if (gpr == 1 && limits == Limits::loop_body) return false;
    // What moves ESP away ends most sequences at the next PUSH; keep some.
    if (gpr == 4 && operand.visibility != ZYDIS_OPERAND_VISIBILITY_HIDDEN && !random.chance(5)) return false;
  }
  return true;
}

Item InstructionSource::draw(Random& random, RegisterKnowledge& knowledge, Limits limits,
                             const Place& place) const {
  for (;;) {
    Candidate candidate;
    bool small_address = false;
    put_prefixes(random, candidate, &small_address);
    put_opcode(random, candidate);
    const u8 reg = static_cast<u8>(random.below(8));
    if (random.chance(45))
      candidate.put(static_cast<u8>(0xc0 | random.byte()));
    else if (small_address != place.code16)
      put_small_form(random, reg, place, candidate);
    else
      put_memory_form(random, knowledge, reg, place, candidate);
    const bool small_immediates = random.chance(30);
    while (candidate.length < sizeof candidate.bytes)
      candidate.put(small_immediates && candidate.length % 4 != 0 ? 0 : random.byte());

    ZydisDecoding decoded;
    if (!decode(zydis_[place.code16], {candidate.bytes, 15}, decoded)) continue;
    const ZydisDecodedInstruction& insn = decoded.insn;
    // MOV to and from [disp] without ModRM: send it to the arena.
    const unsigned displacement = insn.raw.disp.size / 8;
    if ((displacement == 4 || (displacement == 2 && place.small)) && insn.raw.modrm.offset == 0)
      if (const u32 address = arena_address(random, place.low_arena) - place.data_base; true)
        std::memcpy(candidate.bytes + insn.raw.disp.offset, &address, displacement);
    if (!acceptable(random, candidate.bytes, insn.length, decoded, limits, place.code16)) continue;

    Item item;
    item.bytes.assign(candidate.bytes, candidate.bytes + insn.length);
    if (is_relative_branch(insn)) {
      const unsigned size = insn.raw.imm[0].size;
      if (size == 16 && !place.small) continue;
      item.fix = size == 8    ? Item::Fix::relative8
                 : size == 16 ? Item::Fix::relative16
                              : Item::Fix::relative32;
      item.fix_offset = insn.raw.imm[0].offset;
    }
    for (const ZydisDecodedOperand& operand : decoded.all_operands()) {
      if (operand.type != ZYDIS_OPERAND_TYPE_REGISTER ||
          (operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) == 0)
        continue;
      const int gpr = gpr_of(operand.reg.value);
      if (gpr < 0 || (gpr == 4 && operand.visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN)) continue;
      if (insn.meta.category == ZYDIS_CATEGORY_STRINGOP && (gpr == 6 || gpr == 7)) continue;
      knowledge.pointers &= static_cast<u8>(~(1u << gpr));
      knowledge.small &= static_cast<u8>(~(1u << gpr));
    }
    return item;
  }
}

}  // namespace ringshift::differential
