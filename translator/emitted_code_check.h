// EmittedCodeCheck: decodes a block's host code again, and says what in it could leave the sandbox. For
// tests.
//
// The lists here are written down anew, not taken from treatment.cpp: they are what the host may be given.
#pragma once

#include <Zydis/Zydis.h>
#include <fmt/format.h>

#include <algorithm>
#include <bitset>
#include <set>
#include <span>
#include <vector>

#include "translator/bt_context.h"
#include "translator/emitter.h"
#include "translator/treatment.h"

namespace ringshift::bt {

// What touches only general registers, flags, and operands that are checked here.
inline constexpr ZydisMnemonic kGeneral[] = {
    ZYDIS_MNEMONIC_ADD,    ZYDIS_MNEMONIC_ADC,      ZYDIS_MNEMONIC_SUB,    ZYDIS_MNEMONIC_SBB,
    ZYDIS_MNEMONIC_AND,    ZYDIS_MNEMONIC_OR,       ZYDIS_MNEMONIC_XOR,    ZYDIS_MNEMONIC_CMP,
    ZYDIS_MNEMONIC_TEST,   ZYDIS_MNEMONIC_INC,      ZYDIS_MNEMONIC_DEC,    ZYDIS_MNEMONIC_NEG,
    ZYDIS_MNEMONIC_NOT,    ZYDIS_MNEMONIC_MOV,      ZYDIS_MNEMONIC_MOVZX,  ZYDIS_MNEMONIC_MOVSX,
    ZYDIS_MNEMONIC_XCHG,   ZYDIS_MNEMONIC_XADD,     ZYDIS_MNEMONIC_BSWAP,  ZYDIS_MNEMONIC_CMPXCHG,
    ZYDIS_MNEMONIC_LAHF,   ZYDIS_MNEMONIC_SAHF,     ZYDIS_MNEMONIC_CMC,    ZYDIS_MNEMONIC_CMPXCHG8B,
    ZYDIS_MNEMONIC_CLC,    ZYDIS_MNEMONIC_STC,      ZYDIS_MNEMONIC_SHL,    ZYDIS_MNEMONIC_SHR,
    ZYDIS_MNEMONIC_SAR,    ZYDIS_MNEMONIC_ROL,      ZYDIS_MNEMONIC_ROR,    ZYDIS_MNEMONIC_RCL,
    ZYDIS_MNEMONIC_RCR,    ZYDIS_MNEMONIC_SHLD,     ZYDIS_MNEMONIC_SHRD,   ZYDIS_MNEMONIC_BSF,
    ZYDIS_MNEMONIC_BSR,    ZYDIS_MNEMONIC_MUL,      ZYDIS_MNEMONIC_IMUL,   ZYDIS_MNEMONIC_DIV,
    ZYDIS_MNEMONIC_IDIV,   ZYDIS_MNEMONIC_CBW,      ZYDIS_MNEMONIC_CWDE,   ZYDIS_MNEMONIC_CWD,
    ZYDIS_MNEMONIC_CDQ,    ZYDIS_MNEMONIC_BT,       ZYDIS_MNEMONIC_BTS,    ZYDIS_MNEMONIC_BTR,
    ZYDIS_MNEMONIC_BTC,    ZYDIS_MNEMONIC_CMOVO,    ZYDIS_MNEMONIC_CMOVNO, ZYDIS_MNEMONIC_CMOVB,
    ZYDIS_MNEMONIC_CMOVNB, ZYDIS_MNEMONIC_CMOVZ,    ZYDIS_MNEMONIC_CMOVNZ, ZYDIS_MNEMONIC_CMOVBE,
    ZYDIS_MNEMONIC_CMOVS,  ZYDIS_MNEMONIC_CMOVNBE,  ZYDIS_MNEMONIC_CMOVNS, ZYDIS_MNEMONIC_CMOVP,
    ZYDIS_MNEMONIC_CMOVNP, ZYDIS_MNEMONIC_CMOVL,    ZYDIS_MNEMONIC_CMOVNL, ZYDIS_MNEMONIC_CMOVLE,
    ZYDIS_MNEMONIC_SETO,   ZYDIS_MNEMONIC_CMOVNLE,  ZYDIS_MNEMONIC_SETNO,  ZYDIS_MNEMONIC_SETB,
    ZYDIS_MNEMONIC_SETNB,  ZYDIS_MNEMONIC_SETZ,     ZYDIS_MNEMONIC_SETNZ,  ZYDIS_MNEMONIC_SETBE,
    ZYDIS_MNEMONIC_SETNBE, ZYDIS_MNEMONIC_SETS,     ZYDIS_MNEMONIC_SETNS,  ZYDIS_MNEMONIC_SETP,
    ZYDIS_MNEMONIC_SETNP,  ZYDIS_MNEMONIC_SETL,     ZYDIS_MNEMONIC_SETNL,  ZYDIS_MNEMONIC_SETLE,
    ZYDIS_MNEMONIC_SETNLE, ZYDIS_MNEMONIC_MOVBE,    ZYDIS_MNEMONIC_MOVNTI, ZYDIS_MNEMONIC_PAUSE,
    ZYDIS_MNEMONIC_LFENCE, ZYDIS_MNEMONIC_MFENCE,   ZYDIS_MNEMONIC_SFENCE, ZYDIS_MNEMONIC_LEA,
    ZYDIS_MNEMONIC_NOP,    ZYDIS_MNEMONIC_RDGSBASE,
};
// Branches: targets are checked here.
inline constexpr ZydisMnemonic kBranches[] = {
    ZYDIS_MNEMONIC_JMP, ZYDIS_MNEMONIC_JO,   ZYDIS_MNEMONIC_JNO,   ZYDIS_MNEMONIC_JB,    ZYDIS_MNEMONIC_JNB,
    ZYDIS_MNEMONIC_JZ,  ZYDIS_MNEMONIC_JNZ,  ZYDIS_MNEMONIC_JBE,   ZYDIS_MNEMONIC_JNBE,  ZYDIS_MNEMONIC_JS,
    ZYDIS_MNEMONIC_JNS, ZYDIS_MNEMONIC_JP,   ZYDIS_MNEMONIC_JNP,   ZYDIS_MNEMONIC_JL,    ZYDIS_MNEMONIC_JNL,
    ZYDIS_MNEMONIC_JLE, ZYDIS_MNEMONIC_JNLE, ZYDIS_MNEMONIC_JECXZ, ZYDIS_MNEMONIC_JRCXZ,
};
inline constexpr ZydisMnemonic kStrings[] = {
    ZYDIS_MNEMONIC_MOVSB, ZYDIS_MNEMONIC_MOVSW, ZYDIS_MNEMONIC_MOVSD, ZYDIS_MNEMONIC_STOSB,
    ZYDIS_MNEMONIC_STOSW, ZYDIS_MNEMONIC_STOSD, ZYDIS_MNEMONIC_CMPSB, ZYDIS_MNEMONIC_CMPSW,
    ZYDIS_MNEMONIC_CMPSD, ZYDIS_MNEMONIC_SCASB, ZYDIS_MNEMONIC_SCASW, ZYDIS_MNEMONIC_SCASD,
};
// Vector instruction sets of the guest's CPU may be copied as classes, but for these.
inline constexpr u16 kVectorSets[] = {
    ZYDIS_ISA_SET_X87,   ZYDIS_ISA_SET_FCMOV,    ZYDIS_ISA_SET_SSE3X87,  ZYDIS_ISA_SET_PENTIUMMMX,
    ZYDIS_ISA_SET_SSE,   ZYDIS_ISA_SET_SSE2,     ZYDIS_ISA_SET_SSE2MMX,  ZYDIS_ISA_SET_SSE3,
    ZYDIS_ISA_SET_SSSE3, ZYDIS_ISA_SET_SSSE3MMX, ZYDIS_ISA_SET_SSEMXCSR, ZYDIS_ISA_SET_PPRO,
    ZYDIS_ISA_SET_SSE4,  ZYDIS_ISA_SET_SSE42,    ZYDIS_ISA_SET_POPCNT,   ZYDIS_ISA_SET_AES,
};
inline constexpr ZydisMnemonic kVectorDenied[] = {
    ZYDIS_MNEMONIC_FLDENV,   ZYDIS_MNEMONIC_FNSTENV,    ZYDIS_MNEMONIC_FRSTOR,   ZYDIS_MNEMONIC_FNSAVE,
    ZYDIS_MNEMONIC_FXSAVE,   ZYDIS_MNEMONIC_FXRSTOR,    ZYDIS_MNEMONIC_FXSAVE64, ZYDIS_MNEMONIC_FXRSTOR64,
    ZYDIS_MNEMONIC_MASKMOVQ, ZYDIS_MNEMONIC_MASKMOVDQU, ZYDIS_MNEMONIC_FWAIT,    ZYDIS_MNEMONIC_CLFLUSH,
    ZYDIS_MNEMONIC_SYSCALL,  ZYDIS_MNEMONIC_RDPMC,
};

// Says what is wrong with emitted code; "" if nothing is.
class EmittedCodeCheck {
 public:
  explicit EmittedCodeCheck(const RuntimeStubs& stubs) : stubs_(stubs) {
    ZydisDecoderInit(&decoder_, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    for (const ZydisMnemonic m : kGeneral) general_.set(m);
    for (const ZydisMnemonic m : kBranches) branch_.set(m);
    for (const ZydisMnemonic m : kStrings) string_.set(m);
    for (const ZydisMnemonic m : kVectorDenied) denied_.set(m);
  }

  // live: the guest's code bytes, which may be read if the block has live operands.
  std::string check(const TranslationBlock& block, Treatment treatment, std::span<const u8> live = {}) {
    looked_up_ = shared_bytes_ = 0;
    live_ = live;
    constant_register_ = ZYDIS_REGISTER_NONE;
    treatment_ = treatment;
    starts_.clear();
    targets_.clear();
    const u8* const end = block.code + block.host_bytes;
    for (const u8* pc = block.code; pc < end; pc += insn_.length) {
      starts_.insert(pc);
      if (!ZYAN_SUCCESS(
              ZydisDecoderDecodeFull(&decoder_, pc, static_cast<std::size_t>(end - pc), &insn_, operands_)))
        return fmt::format("undecodable at +{}", pc - block.code);
      pc_ = pc;
      const std::string wrong = instruction();
      if (!wrong.empty())
        return fmt::format("{} at +{}: {}", ZydisMnemonicGetString(insn_.mnemonic), pc - block.code, wrong);
      note_constant();
    }
    for (const u8* target : targets_)
      if (!starts_.contains(target) && !stub(target)) return "branch to neither an instruction nor a stub";
    return starts_.contains(block.entry) ? "" : "the entry is no instruction";
  }

 private:
  bool stub(const u8* target) const {
    const u8* const entries[] = {stubs_.access,        stubs_.interpret,     stubs_.chain,
                                 stubs_.lookup,        stubs_.jump,          stubs_.events,
                                 stubs_.port,          stubs_.light_segment, stubs_.light_sysenter,
                                 stubs_.light_sysexit, stubs_.light_iret,    stubs_.light_cr0,
                                 stubs_.light_cpuid,   stubs_.write};
    return std::find(std::begin(entries), std::end(entries), target) != std::end(entries);
  }

  std::string instruction() {
    const ZydisMnemonic m = insn_.mnemonic;
    if (insn_.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY &&
        insn_.encoding != ZYDIS_INSTRUCTION_ENCODING_3DNOW)
      return "VEX, EVEX or XOP";
    if (insn_.encoding == ZYDIS_INSTRUCTION_ENCODING_3DNOW) return "3DNow";
    // Of the guest's own alone: VcpuState and the scale are what it reads beside.
    if (m == ZYDIS_MNEMONIC_RDTSC) return treatment_ == Treatment::read_tsc ? "" : "no RDTSC of the guest's";
    if (m == ZYDIS_MNEMONIC_STD || m == ZYDIS_MNEMONIC_CLD)
      return treatment_ == Treatment::rep_string ? "" : "the host's DF beside a REP";
    if (string_.test(m) && insn_.meta.category == ZYDIS_CATEGORY_STRINGOP) return string();
    const bool vector = std::find(std::begin(kVectorSets), std::end(kVectorSets), insn_.meta.isa_set) !=
                            std::end(kVectorSets) &&
                        !denied_.test(m);
    const bool fcomi = insn_.meta.isa_set == ZYDIS_ISA_SET_PPRO;
    if (!general_.test(m) && !branch_.test(m) && !vector) return "not on the list";
    if (fcomi && !general_.test(m) && insn_.meta.category != ZYDIS_CATEGORY_X87_ALU &&
        insn_.meta.category != ZYDIS_CATEGORY_CMOV && insn_.meta.category != ZYDIS_CATEGORY_FCMOV)
      return "of the Pentium Pro's system set";
    if (m == ZYDIS_MNEMONIC_LEA) note_range();
    for (unsigned i = 0; i < insn_.operand_count; ++i) {
      const std::string wrong = operand(operands_[i]);
      if (!wrong.empty()) return wrong;
    }
    return "";
  }

  // A lookup is of [r8, r8 + n], by LEA r10d, [r8 + n]; a shared one's address is LEA r11, [r9 + r8] behind
  // it.
  void note_range() {
    const auto& mem = operands_[1].mem;
    if (operands_[0].reg.value == ZYDIS_REGISTER_R10D && mem.base == ZYDIS_REGISTER_R8)
      looked_up_ = mem.disp.value + 1;
    if (operands_[0].reg.value == ZYDIS_REGISTER_R11 && mem.base == ZYDIS_REGISTER_R9)
      shared_bytes_ = looked_up_;
  }

  // MOV r64, imm64: the next instruction may read a live operand there.
  void note_constant() {
    const bool made = insn_.mnemonic == ZYDIS_MNEMONIC_MOV && insn_.operand_width == 64 &&
                      operands_[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
    constant_register_ = made ? operands_[0].reg.value : ZYDIS_REGISTER_NONE;
    constant_ = made ? operands_[1].imm.value.u : 0;
  }
  bool reads_live(const ZydisDecodedOperand& op) const {
    const auto& mem = op.mem;
    if (constant_register_ == ZYDIS_REGISTER_NONE || mem.base != constant_register_ || writes(op))
      return false;
    const u64 first = reinterpret_cast<u64>(live_.data());
    const u64 at = constant_ + static_cast<u64>(mem.disp.value);
    return mem.index == ZYDIS_REGISTER_NONE && at >= first && at + op.size / 8 <= first + live_.size();
  }

  // The host's own REP, on host addresses.
  std::string string() const {
    if (treatment_ != Treatment::rep_string) return "a string instruction that isn't the guest's REP";
    constexpr u64 kRepeats = ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE;
    if ((insn_.attributes & kRepeats) == 0) return "without REP";
    if (insn_.address_width != 64) return "on 32-bit addresses";
    if ((insn_.attributes & ZYDIS_ATTRIB_HAS_SEGMENT) != 0) return "with a segment";
    return "";
  }

  static bool writes(const ZydisDecodedOperand& op) {
    return (op.actions & (ZYDIS_OPERAND_ACTION_WRITE | ZYDIS_OPERAND_ACTION_CONDWRITE)) != 0;
  }

  std::string operand(const ZydisDecodedOperand& op) {
    switch (op.type) {
      case ZYDIS_OPERAND_TYPE_REGISTER:
        return reg(op);
      case ZYDIS_OPERAND_TYPE_MEMORY:
        return op.mem.type == ZYDIS_MEMOP_TYPE_AGEN ? "" : memory(op);
      case ZYDIS_OPERAND_TYPE_POINTER:
        return "a far pointer";
      case ZYDIS_OPERAND_TYPE_IMMEDIATE:
        if (op.imm.is_relative) targets_.push_back(pc_ + insn_.length + op.imm.value.s);
        return "";
      default:
        return "";
    }
  }

  std::string reg(const ZydisDecodedOperand& op) const {
    switch (ZydisRegisterGetClass(op.reg.value)) {
      case ZYDIS_REGCLASS_SEGMENT:
      case ZYDIS_REGCLASS_CONTROL:
      case ZYDIS_REGCLASS_DEBUG:
      case ZYDIS_REGCLASS_TABLE:
      case ZYDIS_REGCLASS_YMM:
      case ZYDIS_REGCLASS_ZMM:
        return op.visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN ? "" : "a system register";
      default:
        break;
    }
    const ZydisRegister whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, op.reg.value);
    const bool monitors =
        whole == ZYDIS_REGISTER_R13 || whole == ZYDIS_REGISTER_R14 || whole == ZYDIS_REGISTER_R15;
    return monitors ? "names r13, r14 or r15" : "";
  }

  // CLI, STI and POPF set, clear and change IF, one bit of the flags that RFLAGS doesn't hold.
  bool changes_if(const ZydisDecodedOperand& op) const {
    const u64 value = operands_[1].imm.value.u & 0xffffffff;
    const bool sets =
        treatment_ == Treatment::set_if && insn_.mnemonic == ZYDIS_MNEMONIC_OR && value == kFlagIf;
    const bool pops = treatment_ == Treatment::pop_flags && insn_.mnemonic == ZYDIS_MNEMONIC_XOR;
    const bool clears = treatment_ == Treatment::clear_if && insn_.mnemonic == ZYDIS_MNEMONIC_AND &&
                        value == static_cast<u32>(~kFlagIf);
    return op.mem.disp.value == offsetof(VcpuState, rflags) && op.size == 32 && (sets || clears || pops);
  }

  std::string memory(const ZydisDecodedOperand& op) const {
    const auto& mem = op.mem;
    const auto plain = [&](ZydisRegister base, ZydisRegister index) {
      return mem.base == base && mem.index == index && mem.scale <= 1;
    };
    const i64 at = mem.disp.value;
    const auto within = [&](i64 size) { return at >= 0 && at + op.size / 8 <= size; };
    if (mem.segment == ZYDIS_REGISTER_GS)
      return insn_.address_width == 32 || (plain(ZYDIS_REGISTER_R8, ZYDIS_REGISTER_NONE) && at == 0)
                 ? ""
                 : "gs: with a 64-bit address";
    if (mem.segment == ZYDIS_REGISTER_FS) return "fs:";
    if (insn_.address_width != 64) return "a 32-bit address";
    if (reads_live(op)) return "";
    if (plain(ZYDIS_REGISTER_R13, ZYDIS_REGISTER_NONE))
      return within(sizeof(VcpuState)) && (!writes(op) || changes_if(op)) ? ""
                                                                          : "outside VcpuState, or written";
    if (plain(ZYDIS_REGISTER_R15, ZYDIS_REGISTER_NONE)) {
      const bool counts = at == offsetof(BtContext, executed) && op.size == 64;
      const bool lands = at == offsetof(BtContext, page_eip) && op.size == 32 && starts_.size() <= 2;
      const bool saves = at == offsetof(BtContext, saved_r11) && op.size == 64;
      return within(sizeof(BtContext)) && (counts || lands || saves || !writes(op))
                 ? ""
                 : "outside BtContext, or written";
    }
    if (plain(ZYDIS_REGISTER_R11, ZYDIS_REGISTER_NONE))
      return within(shared_bytes_) ? "" : "outside a shared lookup's range";
    if (plain(ZYDIS_REGISTER_R14, ZYDIS_REGISTER_R9))
      return within(sizeof(TlbEntry)) && !writes(op) ? "" : "outside the Tlb's entry";
    // r10 is twice the low 16 bits of an EIP there.
    if (mem.base == ZYDIS_REGISTER_R15 && mem.index == ZYDIS_REGISTER_R10 && mem.scale == 8) {
      const i64 in_entry = at - static_cast<i64>(offsetof(BtContext, jump_table));
      const bool inside = in_entry >= 0 && in_entry + op.size / 8 <= static_cast<i64>(sizeof(JumpEntry));
      return inside && !writes(op) ? "" : "outside the jump table's entry";
    }
    return plain(ZYDIS_REGISTER_R9, ZYDIS_REGISTER_R8) && at == 0 ? "" : "an address of the guest's choice";
  }

  const RuntimeStubs& stubs_;
  ZydisDecoder decoder_;
  std::bitset<ZYDIS_MNEMONIC_MAX_VALUE + 1> general_, branch_, string_, denied_;
  Treatment treatment_{};
  i64 looked_up_ = 0, shared_bytes_ = 0;  // by the latest lookup; by that which r11 was made of
  std::span<const u8> live_;
  ZydisRegister constant_register_ = ZYDIS_REGISTER_NONE;
  u64 constant_ = 0;
  const u8* pc_ = nullptr;
  ZydisDecodedInstruction insn_;
  ZydisDecodedOperand operands_[ZYDIS_MAX_OPERAND_COUNT];
  std::set<const u8*> starts_;
  std::vector<const u8*> targets_;
};

}  // namespace ringshift::bt
