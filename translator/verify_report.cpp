// What the verifier says: its report of a difference, and its figures.
#include <fmt/format.h>

#include "cpu-model/triple_fault.h"
#include "cpu-model/vcpu_dump.h"
#include "translator/verifier.h"

namespace ringshift::bt {

void Verifier::fail(const char* what, std::string difference) {
  failure_ = fmt::format("-d verify: {}", what);
  if (block_ != nullptr) failure_ += fmt::format("; block {:08x}", block_->eip);
  if (!difference.empty()) failure_ += fmt::format("; {} (translated / interpreted)", difference);
  report_ = failure_ + "\n";
  if (block_ != nullptr) {
    report_ += fmt::format("block {:08x}, {}, entered at {:08x}, left at {:08x}\n", block_->eip,
                           describe(block_->mode), entered_at_, cpu_.state.eip());
    report_ += list(*block_, *note_, decoder_);
  }
  report_ += "state before:\n" + describe_state(before_);
  const std::string all = diff_vcpu(cpu_.state, replica_->state());
  if (!all.empty()) report_ += "all that differs (translated / interpreted):\n" + all;
}

void Verifier::report(StatsSink& sink) const {
  sink.count("verify", "stretches of translated code", counters_.stretches);
  sink.count("verify", "instructions in them", counters_.instructions);
  sink.count("verify", "interpreted by both", counters_.steps);
  sink.count("verify", "events attended to by both", counters_.deliveries);
  sink.count("verify", "followed again with a fresh Tlb", counters_.stale);
  sink.count("verify", "sweeps of all memory", counters_.sweeps);
  sink.count("verify", "paging entries whose A and D were taken over", counters_.entries);
}

}  // namespace ringshift::bt
