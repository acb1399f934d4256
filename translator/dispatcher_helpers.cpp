// The dispatcher's ends of the runtime stubs, of flushes, and of faults in translated code.
#include <algorithm>

#include "base/bits.h"
#include "cpu-model/exceptions.h"
#include "cpu-model/memory_access.h"
#include "cpu-model/paging.h"
#include "translator/dispatcher.h"

namespace ringshift::bt {

namespace {
constexpr unsigned kMaxFillsInRow = 4;
}

template <Helper helper, Dispatcher::Unexecuted unexecuted>
const u8* Dispatcher::counted(BtContext* context, const void* argument, u32 gva, u32 info) {
  Dispatcher& d = self(context);
  d.count_.collect(unexecuted(d, argument, gva));
  d.going_on_ = 0;
  const u8* const next = helper(context, argument, gva, info);
  d.count_.grant(d.going_on_);
  return next;
}

u32 Dispatcher::unexecuted_at_lookup(Dispatcher& d, const void* retry, u32) {
  return d.blocks_.containing(static_cast<const u8*>(retry))->instructions_from(d.cpu_.state.eip());
}

// What has no site (handle_host_fault, failed limit checks) leaves it in r8d.
u32 Dispatcher::unexecuted_at_site(Dispatcher&, const void* site, u32 in_r8) {
  return site == nullptr ? in_r8 : static_cast<const InterpretSite*>(site)->unexecuted;
}

Helpers Dispatcher::counted_helpers() {
  return {.access = counted<on_access, unexecuted_at_lookup>,
          .interpret = counted<on_interpret, unexecuted_at_site>,
          .chain = counted<on_chain, unexecuted_at_head>,
          .jump = counted<on_jump, unexecuted_at_head>,
          .events = counted<on_events, unexecuted_at_head>,
          .port = counted<on_port, unexecuted_at_site>};
}

const u8* Dispatcher::on_access(BtContext* context, const void* retry, u32 gva, u32 info) {
  Dispatcher& d = self(context);
  ++d.counters_.access_exits;
  const u32 size = info & AccessInfo::kSizeMask;
  const bool straddles = (gva & kPageOffsetMask) + size > kPageSize;
  const bool fpu = (info & AccessInfo::kFpu) != 0;
  // Two pages of one instruction may want the same Tlb entry: after a few fills in a row the interpreter
  // takes it, or it would never get past its lookups.
  const u32 eip = d.cpu_.state.eip();
  d.fills_in_row_ = eip == d.last_fill_eip_ ? d.fills_in_row_ + 1 : 0;
  d.last_fill_eip_ = eip;
  if (!straddles && d.fills_in_row_ < kMaxFillsInRow) {
    const AccessKind kind = (info & AccessInfo::kWrite) != 0 ? AccessKind::write : AccessKind::read;
    const u64 epoch = d.blocks_.epoch();
    const Outcome<const TlbEntry*> filled = fill_tlb(d.cpu_, gva, kind, d.cpu_.user());
    if (filled && *filled != nullptr && d.blocks_.epoch() == epoch) {
      ++d.counters_.access_fills;
      d.note_lookup(retry, BlockFault::lookup_filled);
      if (d.count_.on()) d.going_on_ = unexecuted_at_lookup(d, retry, gva);
      return static_cast<const u8*>(retry);
    }
    if (filled && *filled == nullptr && kind == AccessKind::write && d.admit_code_write(retry, gva, size)) {
      if (d.fills_in_row_ != 0) --d.fills_in_row_;  // it doesn't miss again
      if (d.count_.on()) d.going_on_ = unexecuted_at_lookup(d, retry, gva);
      return static_cast<const u8*>(retry);
    }
    if (!filled) d.note_lookup(retry, BlockFault::lookup_page_fault);
    if (!filled && !fpu) return d.raise_at_access(filled.error());
    if (filled) d.note_lookup(retry, BlockFault::lookup_interpreted);
    if (filled) d.note_interpreted_access(retry, gva);
  }
  // MMIO, a straddle, a page with attributes: the interpreter does all of it, exactly.
  ++d.counters_.access_interpreted;
  d.fills_in_row_ = 0;
  d.verify_code(Verifier::Stop::amid);
  d.retranslate_failing();
  d.interpret_one(fpu, false);
  return d.dispatch();
}

bool Dispatcher::admit_code_write(const void* retry, Gva gva, u32 size) {
  const TlbEntry& entry = cpu_.tlb.entry(gva, cpu_.user());
  constexpr PageFlags kCode = static_cast<PageFlags>(PageKind::ram) | kAttrBtCode;
  if (!Tlb::maps(entry, gva, true) || (cpu_.phys.flags(entry.page) & ~kAttrNoWindow) != kCode) return false;
  const TranslationBlock* const running = blocks_.containing(static_cast<const u8*>(retry));
  const Gpa gpa = entry.page + (gva & kPageOffsetMask);
  blocks_.invalidate(gpa, size, DropReason::code_written);
  // If its own block is among them, the next instruction may be the one that changes.
  if (!running->valid) return false;
  ++counters_.code_writes;
  const bool plain = (cpu_.phys.flags(gpa) & kWriteAttributes) == 0;
  return plain || blocks_.writes().would_let(gpa, size);
}

// An instruction's first access that fails is its fault, and nothing of it is done yet. (Not so for x87 and
// SSE: what pends there, and alignment, come before #PF.)
const u8* Dispatcher::raise_at_access(const Fault& fault) {
  ++counters_.access_faults;
  fills_in_row_ = 0;
  verify_code(Verifier::Stop::amid);
  deliver_fault(cpu_, fault);
  verify_step();
  return dispatch();
}

const u8* Dispatcher::on_interpret(BtContext* context, const void* argument, u32, u32 info) {
  Dispatcher& d = self(context);
  ++d.counters_.interpreted;
  d.verify_code(argument == nullptr ? Verifier::Stop::at_fault : Verifier::Stop::amid);
  if (argument == nullptr) {
    d.retranslate_failing();
    d.interpret_one((info & AccessInfo::kFpu) != 0, false);
    return d.dispatch();
  }
  return d.execute_site(*static_cast<InterpretSite*>(const_cast<void*>(argument)));
}

// IN and OUT, straight to the device where the TSS's map has no say (SDM vol. 1 19.5). The block's mode
// allows no I/O breakpoints.
const u8* Dispatcher::on_port(BtContext* context, const void* argument, u32 port, u32 info) {
  Dispatcher& d = self(context);
  auto& site = *static_cast<InterpretSite*>(const_cast<void*>(argument));
  Cpu& cpu = d.cpu_;
  if (cpu.protected_mode() && (cpu.v86() || cpu.state.cpl > cpu.iopl()))
    return on_interpret(context, argument, port, 0);
  ++d.counters_.ports;
  d.verify_code(Verifier::Stop::amid);
  const Resumption resumption = d.resumption_of(site);
  cpu.state.rip = resumption.next_eip;
  d.access_port(static_cast<u16>(port), info);
  cpu.state.rflags &= ~u64{kFlagRf};
  ++cpu.control.retired;
  d.verify_step();
  return d.continue_after(site, resumption);
}

void Dispatcher::access_port(u16 port, u32 info) {
  const unsigned size = info & PortInfo::kSizeMask;
  const u32 mask = size == 4 ? ~0u : (1u << (size * 8)) - 1;
  const u32 eax = cpu_.state.reg32(kEax);
  if ((info & PortInfo::kOut) != 0) return cpu_.io->port_out(port, size, eax & mask);
  cpu_.state.set_reg32(kEax, (eax & ~mask) | (cpu_.io->port_in(port, size) & mask));
}

Dispatcher::Resumption Dispatcher::resumption_of(const InterpretSite& site) const {
  return {blocks_.epoch(), site.resume, cpu_.state.eip() + site.decoded.insn.length, site.unexecuted - 1u};
}

const u8* Dispatcher::execute_site(InterpretSite& site) {
  const Resumption resumption = resumption_of(site);
  const u8 cpl = cpu_.state.cpl;
  if (site.fpu) save_fpu(context_);
  const bool done = interpreter_.execute_ready(site.decoded);
  if (done && site.loads_segments) remember_segments(site, cpl);
  if (!done && listener_ != nullptr) listener_->on_site_fault(&site);
  if (site.fpu) load_fpu(context_);
  verify_step();
  return continue_after(site, resumption);
}

const u8* Dispatcher::continue_after(InterpretSite& site, const Resumption& resumption) {
  const auto& [epoch, resume, next, unexecuted] = resumption;
  VcpuState& state = cpu_.state;
  if (something_pending() || state.halted != 0) return dispatch();
  const bool goes_on = resume != nullptr && state.eip() == next && count_.fits(unexecuted);
  if (blocks_.epoch() != epoch) return dispatch();
  // A shadow (STI, MOV SS) holds off what may come next; within the block nothing can.
  const bool shadowed = state.interrupt_shadow != 0;
  const ModeKey mode = modes_.key_now();
  if (goes_on && !(shadowed && unexecuted == 0) && modes_.is(mode)) {
    state.interrupt_shadow = 0;
    going_on_ = unexecuted;
    if (verifying()) verifier_->enter_again();
    return resume;
  }

  // RF holds until the next instruction is done, which the block's head may put off.
  const bool rf_counts = context_.exact_rf && (state.rflags & kFlagRf) != 0;
  if (shadowed || rf_counts || sees_entries()) return dispatch();
  const TranslationBlock* const usual = site.usual;
  if (usual != nullptr && site.usual_epoch == epoch && site.usual_eip == state.eip() && usual->mode == mode &&
      site.usual_base == cs_base() && site.usual_mapping == mapping_of(*usual)) {
    modes_.enter(mode);
    state.rflags &= ~u64{kFlagRf};
    return entry_at(*usual);
  }
  const u8* const found = dispatch();
  if (dispatched_ != nullptr && blocks_.epoch() == epoch) {
    site.usual = dispatched_;
    site.usual_eip = cpu_.state.eip();
    site.usual_epoch = epoch;
    site.usual_base = cs_base();
    site.usual_mapping = mapping_of(*dispatched_);
  }
  return found;
}

void Dispatcher::remember_segments(const InterpretSite& site, u8 cpl) {
  using Use = DescriptorMemo::Use;
  if (cpu_.real_segments()) return;
  const auto remember = [&](Use use, const SegmentRegister& segment) {
    memo_.remember(cpu_, use, segment.selector, cpl, segment);
  };
  const Operand& loaded = site.decoded.insn.operands[0];
  if (loaded.kind == OperandKind::segment) return remember(Use::data, cpu_.state.seg[loaded.reg % kSegCount]);
  remember(Use::return_code, cpu_.state.segment(Seg::cs));
  remember(Use::return_stack, cpu_.state.segment(Seg::ss));
}

const u8* Dispatcher::on_chain(BtContext* context, const void* argument, u32, u32) {
  Dispatcher& d = self(context);
  ++d.counters_.chain_exits;
  d.verify_code(Verifier::Stop::at_end);
  if (d.sees_entries()) return d.dispatch();
  if (d.cpu_.control.events.load(std::memory_order_acquire) != 0) return d.dispatch();
  const u64 epoch = d.blocks_.epoch();
  const Outcome<TranslationBlock*> target = d.current_block(d.modes_.mode());
  if (!target || *target == nullptr) return d.dispatch();
  // The link's own block may have gone with a flush.
  auto& link = *static_cast<Link*>(const_cast<void*>(argument));
  if (d.blocks_.epoch() == epoch && d.may_link(link, **target)) {
    d.blocks_.link(link, **target);
    return d.entry_at(**target);
  }
  const u8* const entry = d.entry_at(**target);
  if (d.blocks_.epoch() != epoch) return entry;
  // A straddling target, mostly: it stands or falls with a second page's mapping.
  d.remember_jump(**target);
  if (d.listener_ != nullptr && link.source->valid) d.listener_->on_not_linkable(link, **target);
  if (link.source->valid) d.blocks_.make_lookup(link);
  return entry;
}

const u8* Dispatcher::on_jump(BtContext* context, const void*, u32, u32) {
  Dispatcher& d = self(context);
  ++d.counters_.jump_misses;
  d.verify_jump();
  if (d.sees_entries()) return d.dispatch();
  if (d.cpu_.control.events.load(std::memory_order_acquire) != 0) return d.dispatch();
  const Outcome<TranslationBlock*> target = d.current_block(d.modes_.mode());
  if (!target || *target == nullptr) return d.dispatch();
  d.remember_jump(**target);
  return d.entry_at(**target);
}

const u8* Dispatcher::on_events(BtContext* context, const void*, u32, u32) {
  Dispatcher& d = self(context);
  ++d.counters_.event_exits;
  d.verify_poll();
  return d.dispatch();
}

void Dispatcher::remember_jump(const TranslationBlock& target) {
  const u32 eip = cpu_.state.eip();
  context_.jump_table[eip & (kJumpEntries - 1)] = {0 - context_.jump_tag(eip) - 1, target.landing};
  if (!target.global) modes_.note_local();
}

// --- translation of addresses changed

void Dispatcher::forget_mappings() {
  ++global_mapping_;
  ++local_mapping_;
  blocks_.cut_cross_page_links();
  modes_.forget_all();
}

void Dispatcher::forget_local_mappings() {
  ++local_mapping_;
  modes_.forget_local();
}

void Dispatcher::on_flush_all() {
  windows_.on_flush_all();
  forget_mappings();
}

void Dispatcher::on_flush_address_space() {
  windows_.on_flush_address_space();
  modes_.set_user_hot(heat_.hot(static_cast<u32>(cpu_.state.cr3)));
  forget_local_mappings();
}

void Dispatcher::on_flush_page(Gva gva) {
  windows_.on_flush_page(gva);
  // Code that was global once counts as that, whatever its entry says now.
  if (blocks_.has_global_code_at(gva)) return forget_mappings();
  if (blocks_.has_local_code_at(gva)) forget_local_mappings();
}

void Dispatcher::on_write(Gpa gpa, u32 length) { blocks_.invalidate(gpa, length, DropReason::code_written); }

// --- windows

void Dispatcher::note_interpreted_access(const void* retry, Gva gva) {
  Gpa gpa = 0;
  if (!peek(cpu_, gva, &gpa) || cpu_.phys.host(align_down(gpa, Gpa{kPageSize})) != nullptr) return;
  const TranslationBlock* const block = blocks_.containing(static_cast<const u8*>(retry));
  const u32 offset = (cpu_.state.eip() - block->eip) & kPageOffsetMask;
  if (block->valid && block->one_page()) translator_.failing().note_mmio(site_in(*block, offset));
}

void Dispatcher::note_lookup(const void* retry, BlockFault fault) {
  if (listener_ == nullptr) return;
  const TranslationBlock* const block = blocks_.containing(static_cast<const u8*>(retry));
  listener_->on_fault(*block, (cpu_.state.eip() - block->eip) & kPageOffsetMask, fault);
}

void Dispatcher::note_window_fault(const TranslationBlock& block, u32 guest_offset, bool mapped,
                                   bool exists) {
  if (listener_ == nullptr) return;
  const BlockFault fault = mapped   ? BlockFault::window_filled
                           : exists ? BlockFault::window_failed
                                    : BlockFault::window_page_fault;
  listener_->on_fault(block, guest_offset, fault);
}

void Dispatcher::retranslate_failing() {
  if (!translator_.failing().changed()) return;
  for (const SiteChange& change : translator_.failing().take_changed()) {
    ++counters_.retranslations;
    if (listener_ != nullptr) listener_->on_remedy(change);
    blocks_.invalidate(change.instruction, 1, DropReason::retranslation);
  }
}

// --- faults of the host's CPU in translated code: divide errors, x87 and SSE exceptions, misaligned SSE
// operands

bool Dispatcher::handle_host_fault(int signal, siginfo_t& info, ucontext_t& context) {
  auto& registers = context.uc_mcontext.gregs;
  const auto* const pc = reinterpret_cast<const u8*>(registers[REG_RIP]);
  const TranslationBlock* const block = cache_.contains(pc) ? blocks_.containing(pc) : nullptr;
  if (block == nullptr) return false;
  if (modes_.restore_window_base()) {
    ++counters_.lost_bases;
    return true;
  }
  const auto offset = static_cast<u32>(pc - block->code);
  const auto after =
      std::upper_bound(block->marks.begin(), block->marks.end(), offset,
                       [](u32 at, const InstructionMark& mark) { return at < mark.host_offset; });
  if (after == block->marks.begin()) return false;
  const InstructionMark& mark = *std::prev(after);
  const Gpa site = site_in(*block, mark.guest_offset);
  const auto* const address = static_cast<const u8*>(info.si_addr);
  const ShadowWindow* const window = windows_.current();
  const bool in_window = signal == SIGSEGV && info.si_code > 0 && info.si_code != SI_KERNEL &&
                         window != nullptr && window->range().covers(address);
  if (in_window) {
    ++counters_.window_faults;
    constexpr greg_t kWriteFault = 2;
    const AccessKind kind = (registers[REG_ERR] & kWriteFault) != 0 ? AccessKind::write : AccessKind::read;
    if (window->range().inside(address)) {
      const auto gva = static_cast<Gva>(address - window->base());
      const auto filled = windows_.fill(gva, kind);
      const bool mapped = filled && *filled == FillResult::mapped;
      note_window_fault(*block, mark.guest_offset, mapped, filled.has_value());
      if (mapped) {
        const auto cr3 = static_cast<u32>(cpu_.state.cr3);
        if (cpu_.user() && !heat_.filled(cr3)) modes_.set_user_hot(false);  // from the next entry on
        return true;
      }
      if (filled) ++counters_.window_failures;
      if (site != kNoPage) {
        if (filled)
          translator_.failing().note_window_failure(site);
        else
          translator_.failing().note_page_fault(site, align_down(gva, kPageSize));
      }
    }
  } else {
    ++counters_.host_faults;
    if (listener_ != nullptr) listener_->on_fault(*block, mark.guest_offset, BlockFault::host_exception);
    if (site != kNoPage) translator_.failing().note_exception(site);
  }
  if (mark.flags_saved) {
    const auto saved = static_cast<u64>(registers[REG_R12]);
    const u32 flags = ((saved >> 8) & 0xd5) | ((saved & 1) != 0 ? kFlagOf : 0);
    registers[REG_EFL] =
        static_cast<greg_t>((static_cast<u64>(registers[REG_EFL]) & ~u64{kArithmeticFlags}) | flags);
  }
  registers[REG_EFL] &= ~static_cast<greg_t>(kFlagDf);  // of a REP downwards
  if (mark.clipped) registers[REG_RCX] = static_cast<u32>(registers[REG_RCX] + registers[REG_R10]);
  registers[REG_R10] = static_cast<greg_t>(eip_in(*block, mark.guest_offset));
  registers[REG_R9] = AccessInfo::kFpu;
  registers[REG_R11] = 0;  // no InterpretSite
  registers[REG_R8] = block->instructions_from(block->eip + mark.guest_offset);
  registers[REG_RIP] = reinterpret_cast<greg_t>(stubs_.interpret);
  return true;
}

}  // namespace ringshift::bt
