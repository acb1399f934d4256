// EngineSet: a machine's engines, of which one runs at a time, and the hand-over between them.
//
// They share one Cpu. An engine leaves run() at an instruction boundary with all that is architectural in
// VcpuState (what waits to be delivered, shadows, halts, x87 state included) or in RunControl (INTR's level,
// an NMI that just came), so that a hand-over is save() here and restore() there. The interrupt controllers
// and the clock stand in the board, and don't move.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "base/histogram.h"
#include "cpu-model/cpu.h"
#include "cpu-model/execution_engine.h"
#include "machine/machine_config.h"

namespace ringshift {

class EngineSet {
 public:
  // All engines that the configuration names; the first is current. One that can't run on this host, or that
  // can't do what the configuration asks for, is ErrorKind::engine_unavailable.
  static Result<std::unique_ptr<EngineSet>> create(const MachineConfig& config, Cpu& cpu);
  // Of engines that work on this Cpu.
  EngineSet(Cpu& cpu, std::vector<std::unique_ptr<ExecutionEngine>> engines);
  EngineSet(const EngineSet&) = delete;

  ExecutionEngine& current() { return *members_[current_].engine; }
  const ExecutionEngine& current() const { return *members_[current_].engine; }
  std::string_view current_name() const { return current().capabilities().name; }
  std::size_t size() const { return members_.size(); }

  ExitReason run(CpuIo& io);
  // From any thread: run() returns soon, whichever engine it is in.
  void request_exit();
  // While no engine runs: the one of that name runs from here on. Fails if there is none.
  Result<void> switch_to(std::string_view name);

  u64 switches() const { return cost_.count(); }
  void report(StatsSink& sink) const;
  // One line each, the current one marked; for `info engines`.
  std::string describe() const;

 private:
  struct Member {
    std::unique_ptr<ExecutionEngine> engine;
    u64 instructions = 0, entries = 0;
  };
  Result<std::size_t> find(std::string_view name) const;

  Cpu& cpu_;
  std::vector<Member> members_;
  std::size_t current_ = 0;
  Histogram cost_;  // of hand-overs, in ns
};

}  // namespace ringshift
