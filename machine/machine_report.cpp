// A machine's figures for -stats, and its CPU's state in words.
#include <fmt/format.h>

#include <array>

#include "base/host_clock.h"
#include "cpu-model/triple_fault.h"
#include "machine/machine.h"

namespace ringshift {

namespace {
double seconds_of(clockid_t clock) { return static_cast<double>(host_clock_ns(clock)) * 1e-9; }

// SDM vol. 3A table 6-1.
constexpr std::array<const char*, 20> kExceptions{
    "#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "coprocessor overrun",
    "#TS", "#NP", "#SS", "#GP", "#PF", "15",  "#MF", "#AC", "#MC", "#XM"};

std::string vector_name(unsigned vector) {
  return vector < kExceptions.size() ? fmt::format("{:02x} {}", vector, kExceptions[vector])
                                     : fmt::format("{:02x}", vector);
}
}  // namespace

std::string_view outcome_name(RunOutcome::Kind kind) {
  switch (kind) {
    case RunOutcome::Kind::power_off:
      return "powered off";
    case RunOutcome::Kind::reset:
      return "reset";
    case RunOutcome::Kind::guest_exit:
      return "ended by isa-debug-exit";
    case RunOutcome::Kind::triple_fault:
      return "triple fault";
    case RunOutcome::Kind::domain_crash:
      return "domain crashed";
    case RunOutcome::Kind::stopped:
      return "stopped or halted for ever";
    case RunOutcome::Kind::reached:
      return "running";
    case RunOutcome::Kind::failed:
      break;
  }
  return "failed";
}

void Machine::report(StatsSink& sink) const {
  const double wall = seconds_of(CLOCK_MONOTONIC) - static_cast<double>(counters_.started_ns) * 1e-9;
  sink.figure("time", "wall", wall, "s");
  sink.figure("time", "halted", static_cast<double>(counters_.halted_ns) * 1e-9, "s");
  sink.figure("time", "paused", static_cast<double>(counters_.paused_ns) * 1e-9, "s");
  sink.figure("time", "vcpu thread cpu", seconds_of(CLOCK_THREAD_CPUTIME_ID), "s");
  sink.figure("time", "guest clock", static_cast<double>(clock_->now_ns()) * 1e-9, "s");
  sink.count("machine", "boots", counters_.boots);
  sink.count("machine", "instructions retired", control_.retired);
  sink.count("machine", "exits: halted", counters_.halts);
  sink.count("machine", "exits: requested", counters_.leaves);
  sink.count("machine", "services", counters_.services);
  engines_->report(sink);
  for (unsigned vector = 0; vector < 256; ++vector)
    if (cpu_->delivered[vector] != 0)
      sink.count("exceptions and interrupts delivered", vector_name(vector), cpu_->delivered[vector]);
  if (xen_ != nullptr)
    for (const auto& call : xen_->domain().hypercalls.entries())
      if (call.calls != 0) sink.count("hypercalls", call.name, call.calls);
  if (board_ == nullptr) return;
  for (const auto& claim : board_->ports().claims())
    if (claim->accesses != 0)
      sink.count("device accesses", fmt::format("{} ({:x}h)", claim->name, claim->first), claim->accesses);
  for (const auto& claim : board_->mmio().claims())
    if (claim->accesses != 0)
      sink.count("device accesses", fmt::format("{} ({:x}h)", claim->name, claim->first), claim->accesses);
  sink.count("device accesses", "unclaimed ports", board_->ports().unclaimed());
  sink.count("device accesses", "unclaimed mmio", board_->mmio().unclaimed());
}

std::string Machine::describe_cpu() const {
  VcpuState state;
  engines_->current().save(state);
  return describe_state(state);
}

}  // namespace ringshift
