// Lockstep: the sampled run, and the search.
#include "machine/lockstep/lockstep.h"

#include <fmt/format.h>

#include "cpu-model/triple_fault.h"
#include "machine/lockstep/guest_listing.h"

namespace ringshift {

namespace {
MachineBackends silence() { return {std::make_unique<NullBackend>(), std::make_unique<NullBackend>()}; }
// So many instructions before the difference get blocks of their own: more than a block or a tight loop has.
constexpr std::size_t kCutBack = 192;
}  // namespace

Lockstep::Lockstep(MachineConfig config, LockstepOptions options)
    : config_(std::move(config)), options_(std::move(options)) {
  RS_CHECK(config_.engines.size() == 2 && config_.icount_shift && options_.every != 0);
  config_.engine_turns.reset();
  // Both machines' CPUID must be one.
  config_.kvm_counts = config_.kvm_cpuid = config_.has_engine(EngineKind::kvm);
}

Result<std::unique_ptr<LockstepSide>> Lockstep::side(EngineKind engine, MachineBackends backends) const {
  return LockstepSide::create(config_, engine, std::move(backends));
}

Result<LockstepReport> Lockstep::run(MachineBackends outputs) {
  if (outputs.debugcon == nullptr) outputs.debugcon = std::make_unique<NullBackend>();
  const auto tested = RS_TRY(side(config_.engines[0], std::move(outputs)));
  const auto reference = RS_TRY(side(config_.engines[1], silence()));
  LockstepReport report;
  while (report.instructions < options_.limit) {
    const u64 next = std::min(report.instructions + options_.every, options_.limit);
    const bool goes_on = tested->run_to(next);
    reference->run_to(next);
    ++report.comparisons;
    const std::string seen = difference_of(tested->course(), reference->course());
    if (!seen.empty()) return locate(report.instructions, next, seen);
    report.instructions = tested->machine().cpu().control.retired;
    report.ended = tested->outcome().kind;
    if (!goes_on) break;
    tested->forget_io();
    reference->forget_io();
  }
  report.notes = tested->notes() + reference->notes();
  return report;
}

void Lockstep::run_by_samples(LockstepSide& side, u64 to) const {
  for (u64 at = options_.every; at <= to; at += options_.every) {
    if (!side.run_to(at)) return;
    side.forget_io();
  }
}

Result<void> Lockstep::trace_reference(u64 first, u64 last) {
  options_.progress(fmt::format("running the reference again, to {} instructions and on to {}", first, last));
  Reference& r = reference_;
  r.side = RS_TRY(side(config_.engines[1], silence()));
  run_by_samples(*r.side, first);
  r.first = first;
  r.ram = RS_TRY(RamHistory::create(r.side->machine().physical_map()));
  for (u64 at = first;; ++at) {
    const bool goes_on = at == first || r.side->run_to(at);
    r.states.append(r.side->state());
    r.ram->next_step();
    r.io_counts.push_back(r.side->io_count());
    r.retired.push_back(r.side->machine().cpu().control.retired);
    if (!goes_on || at == last) return {};
  }
}

Result<std::string> Lockstep::probe(std::size_t step) {
  const Reference& r = reference_;
  probed_ = RS_TRY(side(config_.engines[0], silence()));
  run_by_samples(*probed_, r.first);
  probed_->run_to(r.first + step);
  const VcpuState state = r.states.at(step);
  const bool last = step + 1 == r.states.size();
  const std::vector<u8> devices = last ? r.side->machine().device_state() : std::vector<u8>{};
  const Course wanted{last ? r.side->outcome().kind : RunOutcome::Kind::reached,
                      r.retired[step],
                      state,
                      std::span(r.side->io()).first(r.io_counts[step]),
                      reference_.ram->after(step),
                      devices,
                      last ? r.side->failure() : std::string_view(),
                      r.side->by_kvm()};
  return difference_of(probed_->course(), wanted);
}

Result<std::size_t> Lockstep::first_different(std::size_t equal, std::size_t differs) {
  while (differs - equal > 1) {
    const std::size_t middle = equal + (differs - equal) / 2;
    options_.progress(fmt::format("between {} and {}", reference_.first + equal, reference_.first + differs));
    (RS_TRY(probe(middle)).empty() ? equal : differs) = middle;
  }
  return differs;
}

Result<LockstepReport> Lockstep::locate(u64 equal, u64 differs, const std::string& seen) {
  options_.progress(fmt::format("they differ between {} and {} instructions: {}", equal, differs, seen));
  RS_TRY(trace_reference(equal, differs));
  const std::size_t end = reference_.states.size() - 1;
  if (RS_TRY(probe(end)).empty())
    return describe(end, false, seen + "\n(run again, they agree: this run does not repeat)");
  const std::size_t block_end = RS_TRY(first_different(0, end));
  const std::size_t begin = block_end > kCutBack ? block_end - kCutBack : 0;
  for (std::size_t step = begin; step < block_end; ++step)
    config_.bt_single_blocks.push_back(reference_.states.at(step).eip());
  const bool cut_works = RS_TRY(probe(begin)).empty() && !RS_TRY(probe(block_end)).empty();
  if (cut_works) return describe(RS_TRY(first_different(begin, block_end)), true, {});
  config_.bt_single_blocks.clear();
  return describe(block_end, false, "(cut into single instructions, the block does not go wrong)");
}

Result<LockstepReport> Lockstep::describe(std::size_t step, bool exact, const std::string& remark) {
  const VcpuState before = reference_.states.at(step == 0 ? 0 : step - 1);
  const VcpuState after = reference_.states.at(step);
  const std::string seen = RS_TRY(probe(step));
  const VcpuState wrong = probed_->state();
  if (step != 0) RS_TRY(probe(step - 1));
  const std::string_view tested = probed_->name(), reference = reference_.side->name();
  LockstepReport report{
      .differ = true, .instructions = reference_.first + step - 1, .exact = exact, .eip = before.eip()};
  report.text = fmt::format("{} and {} differ after instruction {}: {}\n", tested, reference,
                            reference_.first + step, seen);
  report.text += exact ? fmt::format("the instruction is at EIP {:08x}\n", report.eip)
                       : fmt::format("it is among those that end with EIP {:08x}\n", report.eip);
  if (!remark.empty()) report.text += remark + "\n";
  report.text += "guest code:\n" + list_guest_code(probed_->machine().cpu(), 4);
  report.text +=
      fmt::format("host code of {}:\n{}", tested, probed_->machine().engines().current().list_next());
  report.text += "state before:\n" + describe_state(before);
  report.text += fmt::format("state after, {}:\n{}state after, {}:\n{}", tested, describe_state(wrong),
                             reference, describe_state(after));
  return report;
}

}  // namespace ringshift
