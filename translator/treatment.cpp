// The allow-list, and what each instruction on it needs.
#include "translator/treatment.h"

#include <Zydis/Zydis.h>

#include <array>

namespace ringshift::bt {

namespace {

constexpr unsigned kMnemonics = ZYDIS_MNEMONIC_MAX_VALUE + 1;

// Data processing on general registers and one memory operand: the same in 64-bit mode, under the host's
// flags.
constexpr ZydisMnemonic kIdentity[] = {
    ZYDIS_MNEMONIC_ADD,    ZYDIS_MNEMONIC_ADC,     ZYDIS_MNEMONIC_SUB,     ZYDIS_MNEMONIC_SBB,
    ZYDIS_MNEMONIC_AND,    ZYDIS_MNEMONIC_OR,      ZYDIS_MNEMONIC_XOR,     ZYDIS_MNEMONIC_CMP,
    ZYDIS_MNEMONIC_TEST,   ZYDIS_MNEMONIC_INC,     ZYDIS_MNEMONIC_DEC,     ZYDIS_MNEMONIC_NEG,
    ZYDIS_MNEMONIC_NOT,    ZYDIS_MNEMONIC_MOV,     ZYDIS_MNEMONIC_MOVZX,   ZYDIS_MNEMONIC_MOVSX,
    ZYDIS_MNEMONIC_XCHG,   ZYDIS_MNEMONIC_XADD,    ZYDIS_MNEMONIC_CMPXCHG, ZYDIS_MNEMONIC_CMPXCHG8B,
    ZYDIS_MNEMONIC_BSWAP,  ZYDIS_MNEMONIC_LAHF,    ZYDIS_MNEMONIC_SAHF,    ZYDIS_MNEMONIC_CMC,
    ZYDIS_MNEMONIC_CLC,    ZYDIS_MNEMONIC_STC,     ZYDIS_MNEMONIC_SHL,     ZYDIS_MNEMONIC_SHR,
    ZYDIS_MNEMONIC_SAR,    ZYDIS_MNEMONIC_ROL,     ZYDIS_MNEMONIC_ROR,     ZYDIS_MNEMONIC_RCL,
    ZYDIS_MNEMONIC_RCR,    ZYDIS_MNEMONIC_SHLD,    ZYDIS_MNEMONIC_SHRD,    ZYDIS_MNEMONIC_BSF,
    ZYDIS_MNEMONIC_BSR,    ZYDIS_MNEMONIC_POPCNT,  ZYDIS_MNEMONIC_MUL,     ZYDIS_MNEMONIC_IMUL,
    ZYDIS_MNEMONIC_DIV,    ZYDIS_MNEMONIC_IDIV,    ZYDIS_MNEMONIC_CBW,     ZYDIS_MNEMONIC_CWDE,
    ZYDIS_MNEMONIC_CWD,    ZYDIS_MNEMONIC_CDQ,     ZYDIS_MNEMONIC_BT,      ZYDIS_MNEMONIC_BTS,
    ZYDIS_MNEMONIC_BTR,    ZYDIS_MNEMONIC_BTC,     ZYDIS_MNEMONIC_CMOVO,   ZYDIS_MNEMONIC_CMOVNO,
    ZYDIS_MNEMONIC_CMOVB,  ZYDIS_MNEMONIC_CMOVNB,  ZYDIS_MNEMONIC_CMOVZ,   ZYDIS_MNEMONIC_CMOVNZ,
    ZYDIS_MNEMONIC_CMOVBE, ZYDIS_MNEMONIC_CMOVNBE, ZYDIS_MNEMONIC_CMOVS,   ZYDIS_MNEMONIC_CMOVNS,
    ZYDIS_MNEMONIC_CMOVP,  ZYDIS_MNEMONIC_CMOVNP,  ZYDIS_MNEMONIC_CMOVL,   ZYDIS_MNEMONIC_CMOVNL,
    ZYDIS_MNEMONIC_CMOVLE, ZYDIS_MNEMONIC_CMOVNLE, ZYDIS_MNEMONIC_SETO,    ZYDIS_MNEMONIC_SETNO,
    ZYDIS_MNEMONIC_SETB,   ZYDIS_MNEMONIC_SETNB,   ZYDIS_MNEMONIC_SETZ,    ZYDIS_MNEMONIC_SETNZ,
    ZYDIS_MNEMONIC_SETBE,  ZYDIS_MNEMONIC_SETNBE,  ZYDIS_MNEMONIC_SETS,    ZYDIS_MNEMONIC_SETNS,
    ZYDIS_MNEMONIC_SETP,   ZYDIS_MNEMONIC_SETNP,   ZYDIS_MNEMONIC_SETL,    ZYDIS_MNEMONIC_SETNL,
    ZYDIS_MNEMONIC_SETLE,  ZYDIS_MNEMONIC_SETNLE,  ZYDIS_MNEMONIC_CRC32,   ZYDIS_MNEMONIC_MOVBE,
    ZYDIS_MNEMONIC_MOVNTI, ZYDIS_MNEMONIC_PAUSE,   ZYDIS_MNEMONIC_LFENCE,  ZYDIS_MNEMONIC_MFENCE,
    ZYDIS_MNEMONIC_SFENCE,
};

// x87, MMX and SSE instructions that are more than data processing. FNCLEX and FNINIT take FERR# down.
// LDMXCSR: a host may have bits that the machine's MXCSR_MASK doesn't (AMD's MM).
constexpr ZydisMnemonic kFpuInterpreted[] = {
    ZYDIS_MNEMONIC_FLDENV,  ZYDIS_MNEMONIC_FNSTENV, ZYDIS_MNEMONIC_FRSTOR,   ZYDIS_MNEMONIC_FNSAVE,
    ZYDIS_MNEMONIC_FXSAVE,  ZYDIS_MNEMONIC_FXRSTOR, ZYDIS_MNEMONIC_MASKMOVQ, ZYDIS_MNEMONIC_MASKMOVDQU,
    ZYDIS_MNEMONIC_FWAIT,   ZYDIS_MNEMONIC_CLFLUSH, ZYDIS_MNEMONIC_FNCLEX,   ZYDIS_MNEMONIC_FNINIT,
    ZYDIS_MNEMONIC_LDMXCSR,
};

// Interpreted instructions after which a block may go on if EIP, mode and events say so. All others (far
// transfers, control registers, HLT, and whatever isn't known) end it.
constexpr ZydisMnemonic kInterpretedWithin[] = {
    ZYDIS_MNEMONIC_PUSHF,   ZYDIS_MNEMONIC_POPFD,    ZYDIS_MNEMONIC_POPF,       ZYDIS_MNEMONIC_INSB,
    ZYDIS_MNEMONIC_INSW,    ZYDIS_MNEMONIC_INSD,     ZYDIS_MNEMONIC_OUTSB,      ZYDIS_MNEMONIC_OUTSW,
    ZYDIS_MNEMONIC_OUTSD,   ZYDIS_MNEMONIC_RDMSR,    ZYDIS_MNEMONIC_XLAT,       ZYDIS_MNEMONIC_PUSHA,
    ZYDIS_MNEMONIC_POPA,    ZYDIS_MNEMONIC_ENTER,    ZYDIS_MNEMONIC_AAA,        ZYDIS_MNEMONIC_AAS,
    ZYDIS_MNEMONIC_AAM,     ZYDIS_MNEMONIC_AAD,      ZYDIS_MNEMONIC_DAA,        ZYDIS_MNEMONIC_DAS,
    ZYDIS_MNEMONIC_SGDT,    ZYDIS_MNEMONIC_SIDT,     ZYDIS_MNEMONIC_SLDT,       ZYDIS_MNEMONIC_STR,
    ZYDIS_MNEMONIC_SMSW,    ZYDIS_MNEMONIC_LAR,      ZYDIS_MNEMONIC_LSL,        ZYDIS_MNEMONIC_VERR,
    ZYDIS_MNEMONIC_VERW,    ZYDIS_MNEMONIC_ARPL,     ZYDIS_MNEMONIC_LDS,        ZYDIS_MNEMONIC_LES,
    ZYDIS_MNEMONIC_LFS,     ZYDIS_MNEMONIC_LGS,      ZYDIS_MNEMONIC_LSS,        ZYDIS_MNEMONIC_FLDENV,
    ZYDIS_MNEMONIC_FNSTENV, ZYDIS_MNEMONIC_FRSTOR,   ZYDIS_MNEMONIC_FNSAVE,     ZYDIS_MNEMONIC_FXSAVE,
    ZYDIS_MNEMONIC_FXRSTOR, ZYDIS_MNEMONIC_MASKMOVQ, ZYDIS_MNEMONIC_MASKMOVDQU, ZYDIS_MNEMONIC_FWAIT,
    ZYDIS_MNEMONIC_CLFLUSH, ZYDIS_MNEMONIC_FNCLEX,   ZYDIS_MNEMONIC_FNINIT,     ZYDIS_MNEMONIC_BOUND,
    ZYDIS_MNEMONIC_LDMXCSR,
};

struct Special {
  ZydisMnemonic mnemonic;
  Treatment treatment;
};
constexpr Special kSpecial[] = {
    {ZYDIS_MNEMONIC_NOP, Treatment::nothing},
    {ZYDIS_MNEMONIC_LEA, Treatment::lea},
    {ZYDIS_MNEMONIC_PUSH, Treatment::push},
    {ZYDIS_MNEMONIC_POP, Treatment::pop},
    {ZYDIS_MNEMONIC_LEAVE, Treatment::leave},
    {ZYDIS_MNEMONIC_JMP, Treatment::jump},
    {ZYDIS_MNEMONIC_CALL, Treatment::call},
    {ZYDIS_MNEMONIC_RET, Treatment::ret},
    {ZYDIS_MNEMONIC_JO, Treatment::jump_if},
    {ZYDIS_MNEMONIC_JNO, Treatment::jump_if},
    {ZYDIS_MNEMONIC_JB, Treatment::jump_if},
    {ZYDIS_MNEMONIC_JNB, Treatment::jump_if},
    {ZYDIS_MNEMONIC_JZ, Treatment::jump_if},
    {ZYDIS_MNEMONIC_JNZ, Treatment::jump_if},
    {ZYDIS_MNEMONIC_JBE, Treatment::jump_if},
    {ZYDIS_MNEMONIC_JNBE, Treatment::jump_if},
    {ZYDIS_MNEMONIC_JS, Treatment::jump_if},
    {ZYDIS_MNEMONIC_JNS, Treatment::jump_if},
    {ZYDIS_MNEMONIC_JP, Treatment::jump_if},
    {ZYDIS_MNEMONIC_JNP, Treatment::jump_if},
    {ZYDIS_MNEMONIC_JL, Treatment::jump_if},
    {ZYDIS_MNEMONIC_JNL, Treatment::jump_if},
    {ZYDIS_MNEMONIC_JLE, Treatment::jump_if},
    {ZYDIS_MNEMONIC_JNLE, Treatment::jump_if},
    {ZYDIS_MNEMONIC_JCXZ, Treatment::jump_counter},
    {ZYDIS_MNEMONIC_JECXZ, Treatment::jump_counter},
    {ZYDIS_MNEMONIC_LOOP, Treatment::jump_counter},
    {ZYDIS_MNEMONIC_PREFETCHNTA, Treatment::nothing},
    {ZYDIS_MNEMONIC_PREFETCHT0, Treatment::nothing},
    {ZYDIS_MNEMONIC_PREFETCHT1, Treatment::nothing},
    {ZYDIS_MNEMONIC_PREFETCHT2, Treatment::nothing},
    {ZYDIS_MNEMONIC_PREFETCH, Treatment::nothing},
    {ZYDIS_MNEMONIC_PREFETCHW, Treatment::nothing},
    {ZYDIS_MNEMONIC_CLD, Treatment::direction},
    {ZYDIS_MNEMONIC_STD, Treatment::direction},
    {ZYDIS_MNEMONIC_CLI, Treatment::clear_if},
    {ZYDIS_MNEMONIC_STI, Treatment::set_if},
    {ZYDIS_MNEMONIC_POPF, Treatment::pop_flags},
    {ZYDIS_MNEMONIC_POPFD, Treatment::pop_flags},
    {ZYDIS_MNEMONIC_PUSHF, Treatment::push_flags},
    {ZYDIS_MNEMONIC_PUSHFD, Treatment::push_flags},
    {ZYDIS_MNEMONIC_RDTSC, Treatment::read_tsc},
    {ZYDIS_MNEMONIC_RDTSCP, Treatment::read_tsc},
    {ZYDIS_MNEMONIC_SYSENTER, Treatment::sysenter},
    {ZYDIS_MNEMONIC_SYSEXIT, Treatment::sysexit},
    {ZYDIS_MNEMONIC_IRETD, Treatment::interrupt_return},
    {ZYDIS_MNEMONIC_IN, Treatment::port},
    {ZYDIS_MNEMONIC_OUT, Treatment::port},
    {ZYDIS_MNEMONIC_CPUID, Treatment::cpuid},
    {ZYDIS_MNEMONIC_INT, Treatment::software_interrupt},
    {ZYDIS_MNEMONIC_CLTS, Treatment::write_cr0},
    {ZYDIS_MNEMONIC_PUSHAD, Treatment::push_all},
    {ZYDIS_MNEMONIC_POPAD, Treatment::pop_all},
};

bool fpu_isa(u16 isa_set) {
  switch (isa_set) {
    case ZYDIS_ISA_SET_X87:
    case ZYDIS_ISA_SET_FCMOV:
    case ZYDIS_ISA_SET_SSE3X87:
    case ZYDIS_ISA_SET_PENTIUMMMX:
      return true;
    default:
      return false;
  }
}

bool sse_isa(u16 isa_set) {
  switch (isa_set) {
    case ZYDIS_ISA_SET_FXSAVE:
    case ZYDIS_ISA_SET_SSE:
    case ZYDIS_ISA_SET_SSEMXCSR:
    case ZYDIS_ISA_SET_SSE2:
    case ZYDIS_ISA_SET_SSE2MMX:
    case ZYDIS_ISA_SET_SSE3:
    case ZYDIS_ISA_SET_SSSE3:
    case ZYDIS_ISA_SET_SSSE3MMX:
    case ZYDIS_ISA_SET_SSE4:
    case ZYDIS_ISA_SET_SSE42:
    case ZYDIS_ISA_SET_AES:
    case ZYDIS_ISA_SET_PCLMULQDQ:
      return true;
    default:
      return false;
  }
}

// The table by mnemonic, before operands are looked at.
constexpr auto kByMnemonic = [] {
  std::array<Treatment, kMnemonics> table{};
  for (const ZydisMnemonic mnemonic : kInterpretedWithin) table[mnemonic] = Treatment::interpret;
  for (const ZydisMnemonic mnemonic : kIdentity) table[mnemonic] = Treatment::identity;
  for (const auto& [mnemonic, treatment] : kSpecial) table[mnemonic] = treatment;
  return table;
}();

constexpr auto kFpuDenied = [] {
  std::array<bool, kMnemonics> table{};
  for (const ZydisMnemonic mnemonic : kFpuInterpreted) table[mnemonic] = true;
  return table;
}();

// SS has a shadow, and is rare.
bool loads_data_segment(const Instruction& insn) {
  const Seg segment = static_cast<Seg>(insn.operands[0].reg);
  const bool data = segment == Seg::es || segment == Seg::ds || segment == Seg::fs || segment == Seg::gs;
  const bool pop = insn.mnemonic == ZYDIS_MNEMONIC_POP && insn.operand_size == 4;
  return data && (pop || insn.mnemonic == ZYDIS_MNEMONIC_MOV);
}

// Reading goes on in the block; writing ends it, as it may change the mode.
Treatment control_operands(const Instruction& insn) {
  const Operand& to = insn.operands[0];
  if (to.kind == OperandKind::control) return to.reg == 0 ? Treatment::write_cr0 : Treatment::interpret_last;
  const unsigned from = insn.operands[1].reg;
  return from == 0 || (from >= 2 && from <= 4) ? Treatment::read_control : Treatment::interpret_last;
}

// MOV, PUSH and POP of segment registers go on in the block; of control and debug registers they end it.
Treatment system_operands(const Instruction& insn) {
  if (insn.mnemonic == ZYDIS_MNEMONIC_PUSH) return Treatment::push_segment;
  if (insn.operands[0].kind == OperandKind::segment && loads_data_segment(insn))
    return Treatment::load_segment;
  if (insn.operands[0].kind == OperandKind::control || insn.operands[1].kind == OperandKind::control)
    return control_operands(insn);
  for (unsigned i = 0; i < insn.operand_count; ++i)
    if (insn.operands[i].kind != OperandKind::segment && insn.operands[i].kind != OperandKind::gpr16 &&
        insn.operands[i].kind != OperandKind::gpr32 && insn.operands[i].kind != OperandKind::memory)
      return Treatment::interpret_last;
  return Treatment::interpret;
}

bool is_string(const Instruction& insn) {
  const u8 opcode = insn.opcode;
  return insn.map == OpcodeMap::one_byte &&
         ((opcode >= 0xa4 && opcode <= 0xa7) || (opcode >= 0xaa && opcode <= 0xaf));
}

Treatment string_treatment(const Instruction& insn) {
  const bool repeated = insn.has_prefix(kPrefixRep) || insn.has_prefix(kPrefixRepne);
  const bool lods = (insn.opcode & 0xfe) == 0xac;
  if (repeated) return lods || insn.address_size != 4 ? Treatment::interpret : Treatment::rep_string;
  return Treatment::string;
}

bool general_operands_only(const Instruction& insn) {
  for (unsigned i = 0; i < insn.operand_count; ++i) {
    switch (insn.operands[i].kind) {
      case OperandKind::segment:
      case OperandKind::control:
      case OperandKind::debug:
      case OperandKind::far_pointer:
        return false;
      default:
        break;
    }
  }
  return true;
}

Treatment identity_or_special(const Instruction& insn) {
  const bool one_byte = insn.map == OpcodeMap::one_byte;
  if (one_byte && insn.opcode >= 0x40 && insn.opcode <= 0x4f) return Treatment::short_incdec;
  if (one_byte && insn.opcode >= 0xa0 && insn.opcode <= 0xa3) return Treatment::moffs;
  const bool bit_test = insn.mnemonic == ZYDIS_MNEMONIC_BT || insn.mnemonic == ZYDIS_MNEMONIC_BTS ||
                        insn.mnemonic == ZYDIS_MNEMONIC_BTR || insn.mnemonic == ZYDIS_MNEMONIC_BTC;
  if (bit_test && insn.memory_form() && insn.operands[1].kind != OperandKind::immediate)
    return Treatment::bit_string;
  // CMPXCHG with AH..BH and memory would need AL in two places (emitter.h, high bytes).
  if (insn.mnemonic == ZYDIS_MNEMONIC_CMPXCHG && insn.memory_form() &&
      insn.operands[1].kind == OperandKind::gpr8 && insn.operands[1].reg >= 4)
    return Treatment::interpret;
  return Treatment::identity;
}

// SSE's MOVNTI, fences and prefetches are in the table; the rest of x87, MMX and SSE is copied as a class.
Treatment fpu_treatment(const Instruction& insn) {
  const Treatment named = kByMnemonic[insn.mnemonic];
  return named == Treatment::nothing ? named : Treatment::identity;
}

Treatment control_treatment(const Instruction& insn, Treatment treatment) {
  const OperandKind kind = insn.operands[0].kind;
  switch (treatment) {
    case Treatment::jump:
      if (kind == OperandKind::relative) return Treatment::jump;
      return insn.opcode == 0xff && insn.modrm_reg() == 4 ? Treatment::jump_indirect
                                                          : Treatment::interpret_last;
    case Treatment::call:
      if (kind == OperandKind::relative) return Treatment::call;
      return insn.opcode == 0xff && insn.modrm_reg() == 2 ? Treatment::call_indirect
                                                          : Treatment::interpret_last;
    case Treatment::ret:
      return insn.opcode == 0xc3 || insn.opcode == 0xc2 ? Treatment::ret : Treatment::interpret_last;
    default:
      return treatment;
  }
}

}  // namespace

bool uses_sse(const Instruction& insn) {
  return sse_isa(insn.isa_set) && insn.mnemonic != ZYDIS_MNEMONIC_CRC32;
}

u32 bytes_of_memory(const Instruction& insn) {
  for (unsigned i = 0; i < insn.operand_count; ++i)
    if (insn.operands[i].kind == OperandKind::memory) return insn.operands[i].bytes;
  return 0;
}

bool names_high_byte(const Instruction& insn) {
  for (unsigned i = 0; i < insn.operand_count; ++i)
    if (insn.operands[i].kind == OperandKind::gpr8 && insn.operands[i].reg >= 4 && !insn.operands[i].hidden)
      return true;
  return false;
}

bool uses_fpu_state(const Instruction& insn) {
  if (fpu_isa(insn.isa_set) || uses_sse(insn)) return true;
  // FCOMI and its like came with the Pentium Pro, and Zydis counts them there.
  for (unsigned i = 0; i < insn.operand_count; ++i)
    if (insn.operands[i].kind == OperandKind::st) return true;
  return false;
}

Treatment treatment_of(const Instruction& insn) {
  if (!general_operands_only(insn)) return system_operands(insn);
  if (is_string(insn)) return string_treatment(insn);
  if (uses_fpu_state(insn) && !kFpuDenied[insn.mnemonic]) return fpu_treatment(insn);
  const Treatment treatment = kByMnemonic[insn.mnemonic];
  return treatment == Treatment::identity ? identity_or_special(insn) : control_treatment(insn, treatment);
}

}  // namespace ringshift::bt
