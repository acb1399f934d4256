// Emitter: a block from its head to its ways out, and the flags. Memory operands and copies: emitter_*.cpp.
#include "translator/emitter.h"

#include <Zydis/Zydis.h>

#include <algorithm>
#include <cstddef>

#include "base/bits.h"
#include "translator/flag_effects.h"
#include "translator/jump_lookup.h"
#include "translator/treatment.h"

namespace ringshift::bt {

using namespace asmjit;  // NOLINT: the assembler's own vocabulary
using namespace asmjit::x86;

namespace {

Mem context_field(std::size_t offset, u32 size) { return ptr(r15, static_cast<i32>(offset), size); }

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
  if (notes_ != nullptr) notes_->end(offset());
  if (code_.flatten() != kErrorOk || code_.resolveUnresolvedLinks() != kErrorOk) return false;
  if (code_.relocateToBase(reinterpret_cast<u64>(address_)) != kErrorOk) return false;
  code.resize(code_.codeSize());
  return code_.copyFlattenedData(code.data(), code.size()) == kErrorOk;
}

void Emitter::begin_instruction(const Instruction& insn, u32 eip, bool soft, LiveFields live) {
  live_ = live;
  window_ = mode_.window() && !soft;
  insn_ = &insn;
  eip_ = eip;
  retry_ = Label();
  shared_offset_ = SharedLookup::kNotShared;
  owner_ = eip - block_eip_;
  note_reason();
  if (copying_) return enter_copy(eip);
  starts_.push_back({offset(), eip - block_eip_});
}

void Emitter::mark(bool clipped) {
  marks_.push_back({static_cast<u16>(offset()), static_cast<u16>(eip_ - block_eip_), flags_saved_, clipped});
}

// --- flags

void Emitter::protect_flags() {
  if (flags_saved_) return;
  const Because because(*this, EmissionReason::save_flags);
  assembler_.mov(r12, rax);
  assembler_.lahf();
  assembler_.seto(al);
  assembler_.xchg(rax, r12);
  flags_saved_ = true;
}

void Emitter::emit_restore_flags() {
  const Because because(*this, EmissionReason::restore_flags);
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

// --- leaving

void Emitter::jump_to(const u8* target) { assembler_.jmp(imm(reinterpret_cast<u64>(target))); }

void Emitter::add_link(u32 target_eip, Link* link, bool backward) {
  const bool aside = reason_ == EmissionReason::cold_side_exit;
  if (notes_ != nullptr)
    notes_->exits.push_back({aside ? EmissionReason::side_exit : reason_, owner_, target_eip, backward, link,
                             offset(), linkable(target_eip)});
  links_.push_back({target_eip, backward, offset(), 0, 0, link, owner_});
  assembler_.dd(0);  // patched in emit_cold to reach the stub
}

void Emitter::jump_to_link(u32 target_eip, Link* link, bool polled) {
  assembler_.db(0xe9);
  add_link(target_eip, link, polled || target_eip <= eip_);
}

void Emitter::jump_if_to_link(unsigned condition, u32 target_eip, Link* link) {
  assembler_.db(0x0f);
  assembler_.db(static_cast<u8>(0x80 | condition));
  add_link(target_eip, link, target_eip <= eip_);
  if (loop_exit_.isValid()) assembler_.bind(loop_exit_);
}

void Emitter::leave_if(unsigned condition, u32 target_eip, Link* link, unsigned unexecuted) {
  restore_flags();
  const Because because(*this, EmissionReason::side_exit);
  if (unexecuted != 0 || counters_ != nullptr) {
    RS_CHECK(counters_ == nullptr || side_exits_ < BlockCounters::kMostSideExits);
    u64* const taken = counters_ == nullptr ? nullptr : &counters_->side_exits[side_exits_++];
    const Label leave = assembler_.newLabel();
    assembler_.j(static_cast<CondCode>(condition), leave);
    cold_side_exits_.push_back({leave, target_eip, link, unexecuted, owner_, taken});
    return;
  }
  assembler_.db(0x0f);
  assembler_.db(static_cast<u8>(0x80 | condition));
  add_link(target_eip, link, false);
}

void Emitter::count_executed(i32 instructions) {
  const Because because(*this, EmissionReason::count_block);
  add_to_context(offsetof(BtContext, executed), instructions);
}

void Emitter::add_to_context(std::size_t field, i32 addend) {
  assembler_.mov(r8, context_field(field, 8));
  assembler_.lea(r8, ptr(r8, addend));
  assembler_.mov(context_field(field, 8), r8);
}

void Emitter::count_entry(BlockCounters* counters) {
  counters_ = counters;
  if (counters != nullptr) count_taken(&counters->entries);
}

// Keeps the flags; r8 and r9 are free at a block's head and where it is left.
void Emitter::count_taken(u64* taken) {
  if (taken == nullptr) return;
  const Because because(*this, EmissionReason::profile);
  assembler_.mov(r9, reinterpret_cast<u64>(taken));
  assembler_.mov(r8, ptr(r9, 0, 8));
  assembler_.lea(r8, ptr(r8, 1));
  assembler_.mov(ptr(r9, 0, 8), r8);
}

void Emitter::leave_loop_if(unsigned condition, unsigned unexecuted, Label out) {
  restore_flags();
  const Because because(*this, EmissionReason::loop_exit);
  if (unexecuted == 0 && counters_ == nullptr)
    return void(assembler_.j(static_cast<CondCode>(condition), out));
  RS_CHECK(counters_ == nullptr || loop_exits_ < BlockCounters::kMostLoopExits);
  u64* const taken = counters_ == nullptr ? nullptr : &counters_->loop_exits[loop_exits_++];
  const Label leave = assembler_.newLabel();
  assembler_.j(static_cast<CondCode>(condition), leave);
  cold_loop_exits_.push_back({leave, out, unexecuted, owner_, taken});
}

void Emitter::jump_indirect() {
  const Because because(*this, EmissionReason::jump_table);
  emit_jump_lookup(assembler_, [&] { jump_to(stubs_.jump); });
}

void Emitter::interpret(InterpretSite* site) {
  const Because because(*this, EmissionReason::interpreter);
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
  load_eip(r10, site->eip);
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

void Emitter::load_eip(Gp dst, u32 eip) {
  if (!relocatable_) return void(assembler_.mov(dst.r32(), eip));
  assembler_.mov(dst.r32(), context_field(offsetof(BtContext, page_eip), 4));
  assembler_.lea(dst.r32(), ptr(dst.r64(), static_cast<i32>(eip - align_down(block_eip_, kPageSize))));
}

// The way out stands ahead of the entry, in reach of JRCXZ, so that nothing is jumped over.
Emitter::Head Emitter::begin_head(u32 eip) {
  const Label pending = assembler_.newLabel();
  const Label entry = assembler_.newLabel();
  Head head{};
  owner_ = EmissionSpan::kHead;
  const Because because(*this, EmissionReason::poll);
  if (relocatable_) {
    const Because landing(*this, EmissionReason::landing);
    head.landing = offset();
    assembler_.lea(r9d, ptr(r8, -static_cast<i32>(eip & kPageOffsetMask)));
    assembler_.mov(context_field(offsetof(BtContext, page_eip), 4), r9d);
    assembler_.short_().jmp(entry);
  }
  assembler_.bind(pending);
  assembler_.mov(rcx, r9);
  load_eip(r10, eip);
  jump_to(stubs_.events);
  align_head();
  head.polled = offset();
  assembler_.mov(r9, rcx);
  assembler_.mov(ecx, context_field(offsetof(BtContext, quiet), 4));
  assembler_.jecxz(rcx, pending);
  assembler_.mov(rcx, r9);
  assembler_.bind(entry);
  if (!relocatable_) head.landing = offset();
  return head;
}

void Emitter::align_head() {
  const Because because(*this, EmissionReason::padding);
  assembler_.align(AlignMode::kCode, CodeCache::kHead);
  if (relocatable_ && offset() % (2 * CodeCache::kHead) == 0) assembler_.embedUInt8(0x90, CodeCache::kHead);
}

void Emitter::leave_if_events(u32 eip) {
  RS_CHECK(flags_saved_);
  const Because because(*this, EmissionReason::poll_again);
  const Label pending = assembler_.newLabel();
  assembler_.cmp(context_field(offsetof(BtContext, quiet), 4), 0);
  assembler_.je(pending);
  cold_polls_.push_back({pending, eip, owner_});
}

void Emitter::take_from_budget(u32 eip, u32 instructions) {
  constexpr std::size_t kHighByte = offsetof(BtContext, budget) + 7;  // not 0: below zero
  const Because because(*this, EmissionReason::count_budget);
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
  begin_cold();
  emit_shared_misses();
  emit_cold_accesses();
  emit_cold_leaves();
  emit_cold_exits();
  for (PendingLink& link : links_) {
    owner_ = link.owner;
    link.stub_offset = offset();
    emit_link_stub(link);
    const u32 displacement = link.stub_offset - (link.patch_offset + 4);
    std::memcpy(code_.textSection()->buffer().data() + link.patch_offset, &displacement, 4);
  }
}

void Emitter::emit_cold_accesses() {
  for (const ColdSite& site : cold_) {
    owner_ = site.eip - block_eip_;
    const Because because(*this, EmissionReason::cold_lookup);
    assembler_.bind(site.label);
    if (site.flags_saved) emit_restore_flags();
    const bool write = (site.info & AccessInfo::kWrite) != 0;
    if (write) assembler_.mov(context_field(offsetof(BtContext, saved_r11), 8), r11);
    load_eip(r10, site.eip);
    assembler_.lea(r11, ptr(site.retry));
    assembler_.mov(r9d, site.info);
    jump_to(write ? stubs_.write : stubs_.access);
  }
  for (const ColdInterpret& site : cold_interprets_) {
    owner_ = site.eip - block_eip_;
    const Because because(*this, EmissionReason::cold_interpret);
    assembler_.bind(site.label);
    if (site.flags_saved) emit_restore_flags();
    load_eip(r10, site.eip);
    assembler_.mov(r11d, 0);  // no InterpretSite: decoded again, for what faults may
    assembler_.mov(r8d, instructions_from(site.eip));
    assembler_.mov(r9d, site.fpu ? AccessInfo::kFpu : 0);
    jump_to(stubs_.interpret);
  }
}

void Emitter::emit_cold_leaves() {
  for (const ColdPoll& poll : cold_polls_) {
    owner_ = poll.owner;
    const Because because(*this, EmissionReason::cold_poll);
    assembler_.bind(poll.label);
    emit_restore_flags();
    if (!cold_budgets_.empty()) give_back_to_budget(instructions_from(poll.eip));
    load_eip(r10, poll.eip);
    jump_to(stubs_.events);
  }
  for (const ColdBudget& cold : cold_budgets_) {
    owner_ = EmissionSpan::kHead;
    const Because because(*this, EmissionReason::cold_budget);
    assembler_.bind(cold.label);
    give_back_to_budget(cold.instructions);
    load_eip(r10, cold.eip);
    jump_to(stubs_.events);
  }
}

void Emitter::emit_cold_exits() {
  for (const ColdLoopExit& exit : cold_loop_exits_) {
    owner_ = exit.owner;
    const Because because(*this, EmissionReason::cold_loop_exit);
    assembler_.bind(exit.label);
    if (exit.unexecuted != 0) count_executed(-static_cast<i32>(exit.unexecuted));
    count_taken(exit.taken);
    assembler_.jmp(exit.out);
  }
  for (const ColdSideExit& exit : cold_side_exits_) {
    owner_ = exit.owner;
    const Because because(*this, EmissionReason::cold_side_exit);
    assembler_.bind(exit.label);
    if (!cold_budgets_.empty())
      give_back_to_budget(exit.unexecuted);
    else if (exit.unexecuted != 0)
      count_executed(-static_cast<i32>(exit.unexecuted));
    count_taken(exit.taken);
    assembler_.db(0xe9);
    add_link(exit.target_eip, exit.link, false);
  }
}

void Emitter::emit_link_stub(PendingLink& link) {
  if (!linkable(link.target_eip)) {
    const Because because(*this, EmissionReason::cold_jump_table);
    load_eip(r8, link.target_eip);
    return jump_indirect();
  }
  {
    const Because because(*this, EmissionReason::cold_link);
    load_eip(r10, link.target_eip);
    assembler_.mov(r11, reinterpret_cast<u64>(link.link));
    jump_to(stubs_.chain);
  }
  const Because because(*this, EmissionReason::cold_jump_table);
  link.lookup_offset = offset();
  load_eip(r8, link.target_eip);
  jump_to(stubs_.lookup);
}

}  // namespace ringshift::bt
