// The dispatcher's loop: events, modes, finding and making blocks, figures.
#include "translator/dispatcher.h"

#include <cstddef>

#include "base/bits.h"
#include "base/host_clock.h"
#include "cpu-model/exceptions.h"
#include "cpu-model/memory_access.h"

namespace ringshift::bt {

namespace {

u32 read_mxcsr() {
  u32 value;
  asm volatile("stmxcsr %0" : "=m"(value));
  return value;
}

// Slices of verification are measured in instructions.
Counting counting(const Cpu& cpu, const BtOptions& options) {
  if (cpu.control.exact_count) return Counting::exact;
  return options.count_instructions || options.verify ? Counting::by_block : Counting::none;
}

}  // namespace

Dispatcher::Dispatcher(Cpu& cpu, CodeCache cache, const BtOptions& options)
    : cpu_(cpu),
      decoder_(cpu.cpuid),
      interpreter_(cpu),
      cache_(std::move(cache)),
      listing_(cpu.trace),
      blocks_(cpu.phys, cache_, context_.jump_table),
      translator_(cache_, stubs_, interpreter_, listing_, counting(cpu, options)),
      windows_(cpu),
      sampling_(cpu.control),
      modes_(cpu, context_, windows_, options.memory),
      count_(cpu.control, context_),
      listener_(options.listener) {
  context_.state = &cpu.state;
  context_.engine = this;
  context_.cpu = &cpu;
  context_.modes = &modes_;
  context_.memo = &memo_;
  context_.writes = &blocks_.writes();
  translator_.set_listener(listener_);
  blocks_.set_listener(listener_);
  context_.exact_rf = cpu.control.exact_count || options.verify;
  cpu_.observer = this;
  cpu_.phys.add_listener(this, kAttrBtCode);
}

Dispatcher::~Dispatcher() {
  blocks_.set_listener(nullptr);  // the run is over, and it may be gone
  blocks_.clear();
  cpu_.phys.remove_listener(this);
  cpu_.observer = nullptr;
}

Result<void> Dispatcher::prepare(const BtOptions& options) {
  const Helpers helpers{.access = on_access,
                        .interpret = on_interpret,
                        .chain = on_chain,
                        .jump = on_jump,
                        .events = on_events,
                        .port = on_port};
  stubs_ = RS_TRY(emit_runtime_stubs(cache_, count_.on() ? counted_helpers() : helpers));
  RS_TRY(modes_.prepare());
  if (listener_ != nullptr) listener_->on_stubs(stubs_);
  context_.to_lookup = stubs_.lookup;
  context_.to_dispatcher = stubs_.events;
  context_.to_interpreter = stubs_.interpret;
  context_.to_access = stubs_.access;
  samples_ = options.memory == BtOptions::Memory::automatic && !count_.on();
  single_blocks_ = options.single_blocks;
  if (!options.verify) return {};
  verifier_ = RS_TRY(Verifier::create(cpu_, options));
  listing_.set_observer(&verifier_->notes());
  return {};
}

ExitReason Dispatcher::run(CpuIo& io) {
  cpu_.io = verifier_ != nullptr ? &verifier_->begin_run(io) : &io;
  follow_tsc();
  HostFaultScope faults(*this);
  context_.host_mxcsr = read_mxcsr();
  modes_.begin_run();
  cpu_.control.keep_quiet_word(&context_.quiet);
  const u64 retired_before = cpu_.control.retired;
  if (samples_) sampling_.start();
  load_fpu(context_);
  const u8* const start = dispatch();
  count_.grant(0);
  if (start != stubs_.leave)
    reinterpret_cast<void (*)(BtContext*, const u8*)>(const_cast<u8*>(stubs_.enter))(&context_, start);
  count_.collect(0);
  save_fpu(context_);
  reset_host_fpu();
  if (samples_) sampling_.stop();
  cpu_.control.keep_quiet_word(nullptr);
  cpu_.control.retired += std::exchange(context_.executed, 0);
  instructions_ += cpu_.control.retired - retired_before;
  cpu_.io = nullptr;
  if (verifier_ != nullptr) end_verified_run();
  return exit_reason_;
}

void Dispatcher::end_verified_run() {
  verifier_->end_run(exit_reason_ == ExitReason::halted);
  if (!verifier_->failed()) return;
  exit_reason_ = ExitReason::failed;
  cpu_.trace.write("{}", verifier_->report_text());
}

const u8* Dispatcher::leave(ExitReason reason) {
  exit_reason_ = reason;
  return stubs_.leave;
}

const u8* Dispatcher::dispatch() {
  dispatched_ = nullptr;
  for (;;) {
    if (verifier_ != nullptr) {
      turn_verifier();
      if (verifier_->failed()) return leave(ExitReason::failed);
    }
    if ((cpu_.control.events.load(std::memory_order_acquire) != 0 || count_.due()) && handle_events())
      return leave(ExitReason::requested);
    if (cpu_.state.shutdown != 0) return leave(ExitReason::shutdown);  // perhaps by what was delivered
    if (cpu_.state.halted != 0) return leave(ExitReason::halted);
    const ModeKey mode = modes_.key_now();
    if (!mode.translatable() || cpu_.state.interrupt_shadow != 0) {
      ++counters_.interpreted_modes;
      interpret_one(true, !mode.translatable());
      continue;
    }
    const Outcome<TranslationBlock*> block = current_block(mode);
    if (!block) {
      deliver_fault(cpu_, block.error());
      verify_step();
      continue;
    }
    if (*block == nullptr || must_step(**block)) {
      interpret_one(true, false);
      continue;
    }
    modes_.enter(mode);
    cpu_.state.rflags &= ~u64{kFlagRf};
    listing_.entered(**block, cpu_.state.eip());
    if (verifying()) {
      context_.left_amid = false;
      context_.light_site = nullptr;
      verifier_->enter(**block);
    }
    dispatched_ = *block;
    return entry_at(*dispatched_);
  }
}

bool Dispatcher::must_step(const TranslationBlock& block) const {
  if (!count_.on()) return false;
  // A second event may be due after the first instruction that follows the delivery of one.
  const u32 events = cpu_.control.events.load(std::memory_order_acquire);
  const bool waits = events != 0 && interrupts_open(cpu_);
  return waits || !count_.fits(block.instructions);
}

// Begins or ends a slice of verification. What was linked meanwhile would hide entries from it.
void Dispatcher::turn_verifier() {
  const u64 executed = cpu_.control.retired + context_.executed;
  if (!verifier_->turn_due(executed)) return;
  save_fpu(context_);
  verifier_->turn(executed);
  load_fpu(context_);
  if (!verifier_->active()) return;
  blocks_.clear();
  verifier_->forget_block();
}

// Under exact count by virtual time, so that runs are equal.
AddressSpaceHeat::Cost Dispatcher::window_cost() const {
  const ShadowWindow* const window = modes_.mode().window() ? windows_.current() : nullptr;
  return {.now_ns = count_.on() ? cpu_.control.retired : host_clock_ns(),
          .compared = window == nullptr ? 0 : window->counters().resynced_pages};
}

bool Dispatcher::handle_events() {
  RunControl& control = cpu_.control;
  const u32 events = control.events.load(std::memory_order_acquire);
  const bool service = (events & kEventService) != 0 || count_.due();
  if ((service || (events & kEventSample) != 0) && cpu_.user())
    modes_.set_user_hot(heat_.touch(static_cast<u32>(cpu_.state.cr3), window_cost()));
  if ((events & kEventSample) != 0) control.clear_event(kEventSample);
  if (service) {
    control.clear_event(kEventService);
    control.retired += std::exchange(context_.executed, 0);
    cpu_.io->service(events);
    follow_tsc();
  }
  // service() may have asked for it: then nothing is executed or delivered any more.
  if ((control.events.load(std::memory_order_acquire) & kEventExit) != 0) {
    control.clear_event(kEventExit);
    return true;
  }
  if (!verifying())
    deliver_pending(cpu_);
  else
    verify(true, [](Verifier& verifier) { verifier.deliver_pending(); });
  return false;
}

bool Dispatcher::something_pending() {
  const u32 events = cpu_.control.events.load(std::memory_order_acquire);
  if (events == 0) return false;
  const VcpuState& state = cpu_.state;
  const bool idle = events == kEventInspect && state.pending_dr6 == 0 && state.nmi_pending == 0 &&
                    state.shutdown == 0 && state.halted == 0;
  if (!idle) return true;
  cpu_.control.clear_event(kEventInspect);
  return false;
}

void Dispatcher::interpret_one(bool fpu, bool cached) {
  if (fpu) save_fpu(context_);
  interpreter_.step(cached);
  if (fpu) load_fpu(context_);
  verify_step();
}

void Dispatcher::follow_tsc() {
  const TscScale* const scale = cpu_.io->tsc_scale();
  modes_.set_tsc_is_hosts(scale != nullptr);
  if (scale != nullptr) context_.tsc = *scale;
}

Outcome<TranslationBlock*> Dispatcher::current_block(ModeKey mode) {
  const u32 eip = cpu_.state.eip();
  if (eip > mode.cs_limit()) return nullptr;
  const Gva linear = cs_base() + eip;
  const TlbEntry* const entry = RS_TRY(fill_tlb(cpu_, linear, AccessKind::fetch, cpu_.user()));
  if (entry != nullptr) {
    const Gpa gpa = entry->page + (linear & kPageOffsetMask);
    TranslationBlock* const found = blocks_.find(eip, gpa, mode);
    if (found != nullptr && (mode.shifting() || found->relocatable))
      blocks_.note_code_at(linear, found->global);
    if (found != nullptr && found->one_page()) return found;
    if (found != nullptr) {
      const u32 next_page = align_down(linear, kPageSize) + kPageSize;
      const TlbEntry* const second = RS_TRY(fill_tlb(cpu_, next_page, AccessKind::fetch, cpu_.user()));
      if (second != nullptr && second->page == found->pages[1]) return found;
    }
    const bool global = !cpu_.paging() || (entry->mapping & kTlbGlobal) != 0;
    TranslationBlock* const revived = blocks_.revive(eip, linear, gpa, mode, global);
    if (revived != nullptr) return revived;
  }
  GuestBlock guest = RS_TRY(read_guest_block(cpu_, decoder_, eip));
  if (guest.instructions.empty()) return nullptr;
  note_patches(guest, mode);
  if (!single_blocks_.empty()) cut_block(guest, single_blocks_);
  return translate(guest, mode);
}

// Of pages that the guest writes to, blocks are kept by their bytes.
void Dispatcher::note_patches(GuestBlock& guest, ModeKey mode) const {
  const Gpa gpa = guest.pages[0] + (guest.linear & kPageOffsetMask);
  guest.patched = blocks_.writes().has(gpa);
  const TranslationBlock* const before = guest.patched ? blocks_.last_version(gpa, mode) : nullptr;
  if (before != nullptr) mark_live_operands(guest, *before);
}

TranslationBlock* Dispatcher::translate(const GuestBlock& guest, ModeKey mode) {
  constexpr u64 kRoom = BlockTranslator::kMaxBlockBytes;
  if (!blocks_.has_room(kRoom))
    Pauses::measure(pauses_.eviction, CLOCK_MONOTONIC, [&] {
      Pauses::measure(pauses_.eviction_cpu, CLOCK_THREAD_CPUTIME_ID, [&] { blocks_.make_room(kRoom); });
    });
  if (verifier_ != nullptr) verifier_->forget_block();
  const bool roams = mode.relocatable() && !guest.global && blocks_.roams(guest.pages[0], guest.linear);
  TranslationBlock* made = nullptr;
  Pauses::measure(pauses_.translation, CLOCK_MONOTONIC, [&] {
    auto block = translator_.translate(guest, mode, roams);
    if (block != nullptr) made = blocks_.insert(std::move(block));
  });
  return made;
}

bool Dispatcher::may_link(const Link& link, const TranslationBlock& target) const {
  const TranslationBlock& source = *link.source;
  if (!source.valid || !(source.mode == target.mode)) return false;
  const bool same_page = source.one_page() && target.one_page() && source.pages[0] == target.pages[0];
  const bool near = same_page && source.relocatable == target.relocatable &&
                    (source.relocatable ||
                     static_cast<u32>(target.first_byte - source.first_byte) == target.eip - source.eip);
  if (near) return true;
  return source.global && target.global && !source.mode.shifting();  // cut by cut_cross_page_links
}

std::string Dispatcher::list_next() {
  const ModeKey mode = modes_.key_now();
  if (!mode.translatable()) return "  (interpreted: there is no host code)\n";
  const Outcome<TranslationBlock*> block = current_block(mode);
  if (!block || *block == nullptr) return "  (it can't be translated)\n";
  return list_host(**block, {});
}

void Dispatcher::report(StatsSink& sink) const {
  const TranslationCounters& made = translator_.counters();
  sink.count("bt", "instructions", instructions_);
  sink.count("bt", "blocks translated", made.blocks);
  sink.count("bt", "guest instructions translated", made.guest_instructions);
  sink.count("bt", "guest bytes translated", made.guest_bytes);
  sink.count("bt", "host bytes emitted", made.host_bytes);
  sink.count("bt", "cache bytes in use", cache_.used_bytes());
  sink.count("bt", "bytes beside the code", blocks_.side_bytes());
  sink.count("bt", "blocks evicted", blocks_.counters().evicted);
  sink.count("bt", "blocks invalidated", blocks_.counters().invalidated);
  sink.count("bt", "blocks revived", blocks_.counters().revived);
  sink.count("bt", "links made", blocks_.counters().links);
  sink.count("bt", "links cut", blocks_.counters().links_cut);
  sink.count("exits", "lookup miss", counters_.access_exits);
  sink.count("exits", "lookup miss: filled", counters_.access_fills);
  sink.count("exits", "lookup miss: interpreted", counters_.access_interpreted);
  sink.count("exits", "lookup miss: code written", counters_.code_writes);
  sink.count("exits", "interpreted instruction", counters_.interpreted);
  sink.count("exits", "lookup miss: fault", counters_.access_faults);
  sink.count("exits", "port access", counters_.ports);
  sink.count("exits", "interpreted mode", counters_.interpreted_modes);
  sink.count("exits", "unlinked branch", counters_.chain_exits);
  sink.count("exits", "jump-table miss", counters_.jump_misses);
  sink.count("exits", "event", counters_.event_exits);
  sink.count("exits", "host fault", counters_.host_faults);
  const ShadowWindow::Counters windows = windows_.window_counters();
  sink.count("host", "GS bases lost by its kernel", counters_.lost_bases);
  sink.count("windows", "host faults", counters_.window_faults);
  sink.count("windows", "faults that no fill mends", counters_.window_failures);
  sink.count("bt", "retranslations of failing instructions", counters_.retranslations);
  sink.count("windows", "fills", windows.fills);
  sink.count("windows", "pages mapped", windows.pages_mapped);
  sink.count("windows", "unmappings", windows.unmap_calls);
  sink.count("windows", "protections", windows.protect_calls);
  sink.count("windows", "switches", windows_.counters().switches);
  sink.count("windows", "resynchronisations", windows.resyncs);
  sink.count("windows", "evictions", windows_.counters().evictions);
  pauses_.report(sink);
  interpreter_.report_fallbacks(sink, "interpreted");
  if (verifier_ != nullptr) verifier_->report(sink);
  sink.count("tlb", "misses", cpu_.tlb.counters.misses);
  sink.count("tlb", "full flushes", cpu_.tlb.counters.full_flushes);
  sink.count("tlb", "address-space flushes", cpu_.tlb.counters.address_space_flushes);
  sink.count("tlb", "page flushes", cpu_.tlb.counters.page_flushes);
}

}  // namespace ringshift::bt
