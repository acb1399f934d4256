// The verifier's course: what the replica does after each thing that the engine did.
#include "translator/verifier.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "cpu-model/exceptions.h"
#include "translator/fpu_sync.h"

namespace ringshift::bt {

Result<std::unique_ptr<Verifier>> Verifier::create(Cpu& cpu, const BtOptions& options) {
  std::unique_ptr<Verifier> verifier(new Verifier(cpu, options));
  verifier->replica_ = RS_TRY(Replica::create(cpu, verifier->recorder_));
  cpu.phys.add_listener(verifier.get(), 0);
  return verifier;
}

Verifier::~Verifier() { cpu_.phys.remove_listener(this); }

void Verifier::on_page_changed(Gpa page) {
  const PageKind kind = cpu_.phys.kind(page);
  if (replica_->map().kind(page) != kind) replica_->map().set_kind(page, 1, kind);
}

void Verifier::on_device_write(Gpa gpa, u64 length) {
  replica_->map().write(gpa, cpu_.phys.memory().base() + gpa, length);
}

// --- runs

CpuIo& Verifier::begin_run(CpuIo& machine) {
  recorder_.attach(machine);
  if (active_) adopt();
  return recorder_;
}

// What the machine changes between runs (it wakes the CPU, say) isn't the engine's.
void Verifier::adopt() {
  recorder_.clear();
  replica_->adopt_state(cpu_.state);
  if (!fresh_) replica_->adopt_memory(cpu_.phys.memory());
  replica_->clear_writes();
  entries_.clear();
  fresh_ = true;
}

void Verifier::turn(u64 executed) {
  if (active_) {
    sweep();
    pause_end_ = executed + (part_ - 1) * (counters_.instructions - slice_instructions_);
    fresh_ = false;
  } else {
    adopt();
    slice_end_ = counters_.stretches + slice_;
    slice_instructions_ = counters_.instructions;
  }
  active_ = !active_;
  recorder_.record(active_);
  recorder_.clear();
}

void Verifier::end_run(bool halted) {
  // Of a machine with much memory, only when it was due anyway or the run ends for good.
  constexpr u64 kLittle = u64{1} << 20;
  const bool little = bytes_in(ranges_held(cpu_.phys.memory(), replica_->memory())) <= kLittle;
  if (failed() || !active_ || (halted && !little)) return;
  sweep();
  fresh_ = !little;  // tests write to it between runs
}

// --- steps

void Verifier::enter(const TranslationBlock& block) {
  block_ = &block;
  base_ = cpu_.state.eip();
  note_ = &notes_.of(block);
  enter_again();
}

// What the dispatcher does to the flags and shadows before translated code, it does here too.
void Verifier::enter_again() {
  entered_at_ = cpu_.state.eip();
  VcpuState& state = replica_->state();
  state.rflags &= ~u64{kFlagRf};
  if (cpu_.state.interrupt_shadow == 0) state.interrupt_shadow = 0;
}

bool Verifier::step_replica() {
  for (;;) {
    const Replica::Step step = replica_->step();
    if (step != Replica::Step::unfinished) return step == Replica::Step::retired;
  }
}

bool Verifier::follow_elements() {
  Cpu& cpu = replica_->cpu();
  const u32 whole_round = cpu.rep_round;
  bool good = true;
  while (good && cpu.state.reg32(kEcx) > cpu_.state.reg32(kEcx)) {
    cpu.rep_round = std::min(whole_round, cpu.state.reg32(kEcx) - cpu_.state.reg32(kEcx));
    good = replica_->step() == Replica::Step::unfinished;
  }
  cpu.rep_round = whole_round;
  // RF is for what is delivered between the rounds; and which element gave the flags is the host's secret.
  cpu.state.rflags &= ~u64{kFlagRf};
  cpu.state.rflags = (cpu.state.rflags & ~u64{kArithmeticFlags}) | (cpu_.state.rflags & kArithmeticFlags);
  return good;
}

std::string Verifier::follow_code(Stop stop) {
  const auto first = note_->index_of(noted(entered_at_));
  const auto last = stop == Stop::at_end ? std::optional<unsigned>(block_->instructions)
                                         : note_->index_of(noted(cpu_.state.eip()));
  if (!first || !last || *last < *first) return "the block was left where none of its instructions begins";
  unsigned at = *first;
  while (at < *last) {
    if (!step_replica())
      return fmt::format("no exception / an exception at instruction {} of the block", at + 1);
    ++at;
    if (replica_->state().eip() != base_ + note_->offsets[at]) break;  // a branch out of the block
  }
  counters_.instructions += at - *first;
  rounds_left_ = note_->rounds - 1;
  VcpuState& mine = replica_->state();
  const bool in_repeat = stop != Stop::at_end && mine.eip() == cpu_.state.eip() &&
                         mine.reg32(kEcx) > cpu_.state.reg32(kEcx) && note_->repeats(noted(cpu_.state.eip()));
  if (in_repeat && !follow_elements()) return "no exception / an exception in a REP instruction";
  adopt_what_is_early(stop);
  return {};
}

void Verifier::adopt_what_is_early(Stop stop) {
  VcpuState& mine = replica_->state();
  // The host has noted an SSE exception that the interpreter is about to raise (SDM vol. 1 10.2.3).
  constexpr u8 kMxcsrFlags = 0x3f;
  if (stop == Stop::at_fault && fpu_used())
    mine.fx.bytes[kFxMxcsr] |= static_cast<u8>(cpu_.state.fx.bytes[kFxMxcsr] & kMxcsrFlags);
  // In the block STI's shadow isn't state: nothing is delivered before the instruction behind it.
  if (cpu_.state.interrupt_shadow == 0) mine.interrupt_shadow = 0;
}

bool Verifier::follow_round(Stop stop) {
  if (rounds_left_ == 0) return false;
  --rounds_left_;
  const u32 place = stop == Stop::at_end ? base_ : cpu_.state.eip();
  if (replica_->state().eip() != place) return false;  // it has left the loop
  for (unsigned i = 0; i < block_->instructions; ++i)
    if (!step_replica()) return false;
  adopt_what_is_early(stop);
  counters_.instructions += block_->instructions;
  return true;
}

void Verifier::code_left(Stop stop) {
  if (failed()) return;
  ++counters_.stretches;
  const FxStates fx = fpu_used() ? FxStates::compare : FxStates::ignore;
  follow(
      "translated code and the interpreter differ", fx, [&] { return follow_code(stop); },
      [&] { return follow_round(stop); });
}

void Verifier::stepped() {
  if (failed()) return;
  ++counters_.steps;
  follow("an instruction that both interpreted came out differently", FxStates::compare, [&] {
    replica_->step();  // one round, if it is a REP instruction: so was the engine's
    return std::string{};
  });
}

void Verifier::deliver_pending() {
  const u32 events = cpu_.control.events.load(std::memory_order_acquire);
  follow_devices();
  ringshift::deliver_pending(cpu_);
  if (failed()) return;
  ++counters_.deliveries;
  follow("the delivery of an event came out differently", FxStates::compare, [&] {
    replica_->cpu().control.events.store(events);
    ringshift::deliver_pending(replica_->cpu());
    return std::string{};
  });
}

// A device may have turned the A20 gate.
void Verifier::follow_devices() {
  if (replica_->state().a20_masked == cpu_.state.a20_masked) return;
  replica_->state().a20_masked = cpu_.state.a20_masked;
  replica_->cpu().flush_all();
}

// --- comparison

void Verifier::follow(const char* what, FxStates fx, const Course& course, const Another& another) {
  before_ = replica_->state();
  const std::string difference = try_to_follow(fx, course, another);
  if (!difference.empty()) {
    // The replica's Tlb may hold what the guest has changed and not flushed: then a fresh walk agrees.
    replica_->undo_writes();
    replica_->adopt_state(before_);
    if (!try_to_follow(fx, course, another).empty()) return fail(what, difference);
    ++counters_.stale;
  }
  recorder_.clear();
  replica_->clear_writes();
  entries_.clear();
  constexpr u64 kLeast = u64{1} << 18;
  if (++since_sweep_ >= std::max(kLeast, swept_bytes_ / 64)) sweep();
}

// Empty, or the first place's difference.
std::string Verifier::try_to_follow(FxStates fx, const Course& course, const Another& another) {
  const std::string difference = run_and_compare(fx, course);
  if (difference.empty()) return {};
  while (another())
    if (run_and_compare(fx, [] { return std::string{}; }).empty()) return {};
  return difference;
}

std::string Verifier::run_and_compare(FxStates fx, const Course& course) {
  replica_->io().begin();
  std::string difference = course();
  if (!recorder_.events().empty()) follow_devices();
  settle_entries();
  if (difference.empty()) difference = first_difference(cpu_.state, replica_->state(), fx);
  if (difference.empty()) difference = replica_->io().difference();
  if (difference.empty()) difference = memory_difference();
  return difference;
}

// Which access sets A and D is a matter of what each side's Tlb holds (SDM vol. 3A 4.10.2.3): the engine's
// are taken over.
void Verifier::settle_entries() {
  constexpr u8 kAccessedDirty = 0x60;
  const auto settle = [&](Gpa entry) {
    ++counters_.entries;
    const u8 theirs = cpu_.phys.memory().base()[entry];
    u8& mine = replica_->memory().base()[entry];
    mine = static_cast<u8>((mine & ~kAccessedDirty) | (theirs & kAccessedDirty));
  };
  for (const Gpa entry : replica_->entries_marked()) settle(entry);
  for (const Gpa entry : entries_) settle(entry);
}

std::string Verifier::difference_in_ram(RamRange range) const {
  const auto at = difference_in(cpu_.phys.memory(), replica_->memory(), range);
  if (!at) return {};
  const u8* const theirs = cpu_.phys.memory().base() + *at;
  const u8* const mine = replica_->memory().base() + *at;
  return fmt::format("memory at gpa {:08x}: {:02x} / {:02x}", *at, *theirs, *mine);
}

std::string Verifier::memory_difference() const {
  for (const u32 piece : replica_->pieces_written()) {
    const u64 first = u64{piece} * Replica::kPiece;
    std::string difference = difference_in_ram({first, first + Replica::kPiece});
    if (!difference.empty()) return difference;
  }
  return {};
}

void Verifier::sweep() {
  ++counters_.sweeps;
  const auto ranges = ranges_held(cpu_.phys.memory(), replica_->memory());
  swept_bytes_ = bytes_in(ranges);
  for (const RamRange& range : ranges) {
    const std::string difference = difference_in_ram(range);
    if (difference.empty()) continue;
    return fail("translated code wrote where the interpreter did not",
                fmt::format("{}, within the last {} stretches", difference, since_sweep_));
  }
  since_sweep_ = 0;
}

}  // namespace ringshift::bt
