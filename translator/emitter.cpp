// Emission of host code: flags, memory operands, copied instructions, ways out.
#include "translator/emitter.h"

#include <Zydis/Zydis.h>

#include <algorithm>
#include <cstddef>

#include "translator/flag_effects.h"
#include "translator/jump_lookup.h"
#include "translator/treatment.h"

namespace ringshift::bt {

using namespace asmjit;  // NOLINT: the assembler's own vocabulary
using namespace asmjit::x86;

namespace {

Gp guest64(unsigned reg) { return gpq(reg); }

Mem state_field(std::size_t offset, u32 size) { return ptr(r13, static_cast<i32>(offset), size); }
Mem context_field(std::size_t offset, u32 size) { return ptr(r15, static_cast<i32>(offset), size); }

Mem segment_field(Seg segment, std::size_t field) {
  const std::size_t at = offsetof(VcpuState, seg) + static_cast<unsigned>(segment) * sizeof(SegmentRegister);
  return state_field(at + field, 4);
}

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

void Emitter::begin(const u8* address, u32 eip, Gva linear) {
  block_eip_ = eip;
  cs_base_ = linear - eip;
  address_ = address;
  code_.reset();
  code_.init(Environment::host(), reinterpret_cast<u64>(address));
  code_.attach(&assembler_);
}

bool Emitter::finish(std::vector<u8>& code) {
  emit_cold();
  if (code_.flatten() != kErrorOk || code_.resolveUnresolvedLinks() != kErrorOk) return false;
  if (code_.relocateToBase(reinterpret_cast<u64>(address_)) != kErrorOk) return false;
  code.resize(code_.codeSize());
  return code_.copyFlattenedData(code.data(), code.size()) == kErrorOk;
}

void Emitter::begin_instruction(const Instruction& insn, u32 eip, bool soft) {
  window_ = mode_.window() && !soft;
  insn_ = &insn;
  eip_ = eip;
  retry_ = Label();
  starts_.push_back({offset(), eip - block_eip_});
}

void Emitter::mark() {
  marks_.push_back({static_cast<u16>(offset()), static_cast<u16>(eip_ - block_eip_), flags_saved_});
}

// --- flags

void Emitter::protect_flags() {
  if (flags_saved_) return;
  assembler_.mov(r12, rax);
  assembler_.lahf();
  assembler_.seto(al);
  assembler_.xchg(rax, r12);
  flags_saved_ = true;
}

void Emitter::emit_restore_flags() {
  assembler_.xchg(rax, r12);
  assembler_.cmp(al, 0x81);  // OF = AL is 1; the image in AX stays, for a retry needs it again
  assembler_.sahf();
  assembler_.xchg(rax, r12);
}

void Emitter::prepare_flags(const Instruction& insn) {
  if (!flags_saved_) return;
  const u32 written = insn.flags_written & kArithmeticFlags;
  const bool reads = (insn.flags_read & kArithmeticFlags) != 0;
  const bool partial = written != 0 && flags_overwritten(insn) != kArithmeticFlags;
  if (reads || partial) restore_flags();
}

void Emitter::settle_flags(const Instruction& insn) {
  if ((insn.flags_written & kArithmeticFlags) != 0) flags_saved_ = false;
}

void Emitter::restore_flags() {
  if (!flags_saved_) return;
  emit_restore_flags();
  flags_saved_ = false;
}

// --- memory

void Emitter::load_offset(Gp dst, const Instruction& insn, i32 esp_bias) {
  const i32 displacement = insn.displacement + (insn.base == kEsp ? esp_bias : 0);
  const bool wide = insn.address_size == 4;
  unsigned shift = 0;
  while ((1u << shift) < insn.scale) ++shift;
  if (insn.base == kNoRegister && insn.index == kNoRegister) {
    assembler_.mov(dst.r32(), wide ? displacement : displacement & 0xffff);
  } else if (insn.index == kNoRegister) {
    if (displacement == 0) {
      assembler_.mov(dst.r32(), gpd(insn.base));
    } else {
      assembler_.lea(dst.r32(), ptr(guest64(insn.base), displacement));
    }
  } else if (insn.base == kNoRegister) {
    assembler_.lea(dst.r32(), ptr(0, guest64(insn.index), shift));
    if (displacement != 0) assembler_.lea(dst.r32(), ptr(dst.r64(), displacement));
  } else {
    assembler_.lea(dst.r32(), ptr(guest64(insn.base), guest64(insn.index), shift, displacement));
  }
  if (!wide) assembler_.movzx(dst.r32(), dst.r16());
}

Label Emitter::interpret_cold() {
  const Label label = assembler_.newLabel();
  cold_interprets_.push_back({label, eip_, uses_fpu_state(*insn_), flags_saved_});
  return label;
}

void Emitter::linear_at_r8(Seg segment, u32 size) {
  const SegmentShape shape = mode_.shape(segment);
  if (shape == SegmentShape::flat) return;
  if (shape != SegmentShape::based) {
    protect_flags();
    const Label slow = interpret_cold();
    const Mem limit = segment_field(segment, offsetof(SegmentRegister, limit));
    if (shape == SegmentShape::down || shape == SegmentShape::down_64k) {
      const u32 top = shape == SegmentShape::down ? ~u32{0} : 0xffff;
      assembler_.cmp(r8d, limit);
      assembler_.jbe(slow);
      assembler_.cmp(r8d, static_cast<i32>(top - (size - 1)));
      assembler_.ja(slow);
    } else if (size == 1) {
      assembler_.cmp(r8d, limit);
      assembler_.ja(slow);
    } else {
      assembler_.lea(r9, ptr(r8, static_cast<i32>(size - 1)));  // 64 bits: it can't wrap into the segment
      assembler_.mov(r10d, limit);
      assembler_.cmp(r9, r10);
      assembler_.ja(slow);
    }
  }
  assembler_.mov(r9d, segment_field(segment, offsetof(SegmentRegister, base)));
  assembler_.lea(r8d, ptr(r8, r9));
}

void Emitter::check_target(Gp target, u32 operand_size) {
  const u32 most = operand_size == 2 ? 0xffff : 0xffffffff;
  if (mode_.cs_limit() >= most) return;
  protect_flags();
  assembler_.cmp(target.r32(), static_cast<i32>(mode_.cs_limit()));
  assembler_.ja(interpret_cold());
}

// Whether the operand can stand as gs:[...] in the instruction itself, with 32-bit addressing (its wrap is
// exact).
bool Emitter::folds(const Instruction& insn) const {
  return insn.address_size == 4 && mode_.shape(insn.segment) == SegmentShape::flat;
}

Mem Emitter::memory(const Instruction& insn, Access access, u32 size, i32 esp_bias) {
  if (!window_ || !folds(insn) || insn.base == kNoRegister) {
    load_offset(r8, insn, esp_bias);
    linear_at_r8(insn.segment, size);
    return memory_at_r8(access, size);
  }
  mark();
  const i32 displacement = insn.displacement + (insn.base == kEsp ? esp_bias : 0);
  unsigned shift = 0;
  while ((1u << shift) < insn.scale) ++shift;
  Mem operand = insn.index == kNoRegister ? ptr(gpd(insn.base), displacement, size)
                                          : ptr(gpd(insn.base), gpd(insn.index), shift, displacement, size);
  operand.setSegment(gs);
  return operand;
}

Mem Emitter::memory_at_r8(Access access, u32 size) {
  if (window_) {
    mark();
    Mem operand = ptr(r8, 0, size);
    operand.setSegment(gs);
    return operand;
  }
  lookup(access, size);
  mark();
  return ptr(r9, r8, 0, 0, size);
}

void Emitter::begin_memory() {
  if (window_) return;
  protect_flags();
  retry_ = assembler_.newLabel();
  assembler_.bind(retry_);
}

void Emitter::lookup(Access access, u32 size) {
  const bool write = access == Access::write;
  constexpr unsigned kEntryShift = 5;
  static_assert(sizeof(TlbEntry) == 1u << kEntryShift);
  assembler_.mov(r9d, r8d);
  assembler_.shr(r9d, kPageShift - kEntryShift);
  assembler_.and_(r9d, (Tlb::kEntries - 1) << kEntryShift);
  if (size > 1) {
    assembler_.lea(r10d, ptr(r8, static_cast<i32>(size - 1)));
    assembler_.and_(r10d, ~kPageOffsetMask);
  } else {
    assembler_.mov(r10d, r8d);
    assembler_.and_(r10d, ~kPageOffsetMask);
  }
  const std::size_t tag = write ? offsetof(TlbEntry, write_tag) : offsetof(TlbEntry, read_tag);
  assembler_.cmp(r10d, ptr(r14, r9, 0, static_cast<i32>(tag), 4));
  const Label slow = assembler_.newLabel();
  assembler_.jne(slow);
  assembler_.mov(r9, ptr(r14, r9, 0, static_cast<i32>(offsetof(TlbEntry, addend)), 8));
  const u32 info = size | (write ? AccessInfo::kWrite : 0) | (uses_fpu_state(*insn_) ? AccessInfo::kFpu : 0);
  cold_.push_back({slow, retry_, eip_, info, flags_saved_});
}

// --- copying

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
  load_offset(r8, insn);
  linear_at_r8(insn.segment, size);
  if (!window_) lookup(access, size);
  prepare_flags(insn);
  copy_at(insn, !window_);
}

// The instruction's own ModRM, SIB and displacement under gs: and 32-bit addressing.
void Emitter::copy_folded(const Instruction& insn) {
  constexpr u8 kGs = 0x65;
  constexpr u8 kAddress32 = 0x67;
  mark();
  assembler_.db(kGs);
  assembler_.db(kAddress32);
  emit_prefixes(insn);
  emit_opcode(insn);
  const bool absolute = (insn.modrm & 0xc7) == 0x05;
  unsigned at = insn.modrm_offset;
  if (absolute) {
    // mod=00 rm=101 is RIP-relative here: the SIB form without base and index (SDM vol. 2A 2.2.1.6).
    assembler_.db(static_cast<u8>((insn.modrm & 0x38) | 4));
    assembler_.db(0x25);
    ++at;
  }
  for (; at < insn.length; ++at) assembler_.db(insn.bytes[at]);
}

// With [r9 + r8], or gs:[r8], for the memory operand. A REX prefix makes AH..BH unreachable: the halves are
// swapped around the instruction. (Where a window might make it fault in between, such go by lookups.)
void Emitter::copy_at(const Instruction& insn, bool r9_based) {
  const bool high = names_high_byte(insn);
  const u8 reg = high ? insn.modrm_reg() & 3 : insn.modrm_reg();
  const auto swap_halves = [&] { assembler_.xchg(gpb_lo(reg), gpb_hi(reg)); };
  if (high) swap_halves();
  mark();
  if (!r9_based) assembler_.db(0x65);
  emit_prefixes(insn);
  assembler_.db(r9_based ? 0x43 : 0x41);  // REX.XB or REX.B
  emit_opcode(insn);
  if (r9_based) {
    assembler_.db(static_cast<u8>(reg << 3 | 4));
    assembler_.db(0x01);  // SIB: r9 + r8
  } else {
    assembler_.db(static_cast<u8>(reg << 3));
  }
  emit_tail(insn);
  if (high) swap_halves();
}

// --- leaving

void Emitter::jump_to(const u8* target) { assembler_.jmp(imm(reinterpret_cast<u64>(target))); }

void Emitter::add_link(u32 target_eip, Link* link, bool polled) {
  links_.push_back({target_eip, polled || target_eip <= eip_, offset(), 0, 0, link});
  assembler_.dd(0);  // patched in emit_cold to reach the stub
}

void Emitter::jump_to_link(u32 target_eip, Link* link, bool polled) {
  assembler_.db(0xe9);
  add_link(target_eip, link, polled);
}

void Emitter::jump_if_to_link(unsigned condition, u32 target_eip, Link* link) {
  assembler_.db(0x0f);
  assembler_.db(static_cast<u8>(0x80 | condition));
  add_link(target_eip, link, false);
  if (loop_exit_.isValid()) assembler_.bind(loop_exit_);
}

void Emitter::count_executed(i32 instructions) {
  add_to_context(offsetof(BtContext, executed), instructions);
}

void Emitter::add_to_context(std::size_t field, i32 addend) {
  assembler_.mov(r8, context_field(field, 8));
  assembler_.lea(r8, ptr(r8, addend));
  assembler_.mov(context_field(field, 8), r8);
}

void Emitter::leave_loop_if(unsigned condition, unsigned unexecuted, Label out) {
  restore_flags();
  if (unexecuted == 0) return void(assembler_.j(static_cast<CondCode>(condition), out));
  const Label leave = assembler_.newLabel();
  assembler_.j(static_cast<CondCode>(condition), leave);
  cold_loop_exits_.push_back({leave, out, unexecuted});
}

void Emitter::jump_indirect() {
  emit_jump_lookup(assembler_, [&] { jump_to(stubs_.jump); });
}

void Emitter::interpret(InterpretSite* site) {
  interpret_aside(site);
  flags_saved_ = false;
  resume_here(site);
}

void Emitter::interpret_aside(InterpretSite* site) {
  if (flags_saved_) emit_restore_flags();
  jump_with_site(stubs_.interpret, site, site->fpu ? AccessInfo::kFpu : 0);
}

void Emitter::call_site(const u8* stub, InterpretSite* site, u32 info) {
  restore_flags();
  jump_with_site(stub, site, info);
  resume_here(site);
}

void Emitter::jump_with_site(const u8* stub, const InterpretSite* site, u32 info) {
  assembler_.mov(r10d, site->eip);
  assembler_.mov(r11, reinterpret_cast<u64>(site));
  assembler_.mov(r9d, info);
  jump_to(stub);
}

// By JRCXZ, because a fault in the block must show the flags that it was entered with.
template <class Load>
void Emitter::jump_unless_zero(Label target, const Load& load_ecx) {
  const Label zero = assembler_.newLabel();
  assembler_.mov(r9, rcx);
  load_ecx();
  assembler_.jecxz(rcx, zero);
  assembler_.mov(rcx, r9);
  assembler_.jmp(target);
  assembler_.bind(zero);
  assembler_.mov(rcx, r9);
}

// The way out stands ahead of the entry, in reach of JRCXZ, so that nothing is jumped over.
u32 Emitter::poll(u32 eip) {
  const Label pending = assembler_.newLabel();
  assembler_.bind(pending);
  assembler_.mov(rcx, r9);
  assembler_.mov(r10d, eip);
  jump_to(stubs_.events);
  assembler_.align(AlignMode::kCode, 16);
  const u32 polled = offset();
  assembler_.mov(r9, rcx);
  assembler_.mov(ecx, context_field(offsetof(BtContext, quiet), 4));
  assembler_.jecxz(rcx, pending);
  assembler_.mov(rcx, r9);
  return polled;
}

void Emitter::leave_if_events(u32 eip) {
  RS_CHECK(flags_saved_);
  const Label pending = assembler_.newLabel();
  assembler_.cmp(context_field(offsetof(BtContext, quiet), 4), 0);
  assembler_.je(pending);
  cold_polls_.push_back({pending, eip});
}

void Emitter::take_from_budget(u32 eip, u32 instructions) {
  constexpr std::size_t kHighByte = offsetof(BtContext, budget) + 7;  // not 0: below zero
  const Label short_of = assembler_.newLabel();
  add_to_context(offsetof(BtContext, budget), -static_cast<i32>(instructions));
  jump_unless_zero(short_of, [&] { assembler_.movzx(ecx, context_field(kHighByte, 1)); });
  cold_budgets_.push_back({short_of, eip, instructions});
}

void Emitter::give_back_to_budget(u32 instructions) {
  add_to_context(offsetof(BtContext, budget), static_cast<i32>(instructions));
}

// How many of the block's instructions stand at eip or behind. The first one starts twice, for its poll.
u32 Emitter::instructions_from(u32 eip) const {
  const auto starts = std::count_if(starts_.begin(), starts_.end(), [&](const InstructionStart& start) {
    return start.guest_offset != InstructionStart::kCold && start.guest_offset >= eip - block_eip_;
  });
  return static_cast<u32>(starts) - (eip == block_eip_ ? 1 : 0);
}

// Within a page a link holds as long as its block; between pages only where MOV CR3 changes nothing
// (design 2.2).
bool Emitter::linkable(u32 target_eip) const {
  return global_ || ((target_eip + cs_base_) >> kPageShift) == ((eip_ + cs_base_) >> kPageShift);
}

void Emitter::emit_cold() {
  starts_.push_back({offset(), InstructionStart::kCold});
  for (const ColdSite& site : cold_) {
    assembler_.bind(site.label);
    if (site.flags_saved) emit_restore_flags();
    assembler_.mov(r10d, site.eip);
    assembler_.lea(r11, ptr(site.retry));
    assembler_.mov(r9d, site.info);
    jump_to(stubs_.access);
  }
  for (const ColdInterpret& site : cold_interprets_) {
    assembler_.bind(site.label);
    if (site.flags_saved) emit_restore_flags();
    assembler_.mov(r10d, site.eip);
    assembler_.mov(r11d, 0);  // no InterpretSite: decoded again, for what faults may
    assembler_.mov(r8d, instructions_from(site.eip));
    assembler_.mov(r9d, site.fpu ? AccessInfo::kFpu : 0);
    jump_to(stubs_.interpret);
  }
  for (const ColdPoll& poll : cold_polls_) {
    assembler_.bind(poll.label);
    emit_restore_flags();
    if (!cold_budgets_.empty()) give_back_to_budget(instructions_from(poll.eip));
    assembler_.mov(r10d, poll.eip);
    jump_to(stubs_.events);
  }
  for (const ColdBudget& cold : cold_budgets_) {
    assembler_.bind(cold.label);
    give_back_to_budget(cold.instructions);
    assembler_.mov(r10d, cold.eip);
    jump_to(stubs_.events);
  }
  for (const ColdLoopExit& exit : cold_loop_exits_) {
    assembler_.bind(exit.label);
    count_executed(-static_cast<i32>(exit.unexecuted));
    assembler_.jmp(exit.out);
  }
  for (PendingLink& link : links_) {
    link.stub_offset = offset();
    if (linkable(link.target_eip)) {
      assembler_.mov(r10d, link.target_eip);
      assembler_.mov(r11, reinterpret_cast<u64>(link.link));
      jump_to(stubs_.chain);
      link.lookup_offset = offset();
      assembler_.mov(r8d, link.target_eip);
      jump_to(stubs_.lookup);
    } else {
      assembler_.mov(r8d, link.target_eip);
      jump_indirect();
    }
    const u32 displacement = link.stub_offset - (link.patch_offset + 4);
    std::memcpy(code_.textSection()->buffer().data() + link.patch_offset, &displacement, 4);
  }
}

}  // namespace ringshift::bt
