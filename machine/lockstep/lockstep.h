// Lockstep: one guest on two engines in virtual time, compared, down to the first instruction that differs.
//
// 1. Both machines run and are compared every so many instructions (sampled).
// 2. If they differ, the second engine (the reference) runs again to the last sample that agreed, and from
//    there on by single instructions; its states, its I/O and its RAM are kept.
// 3. The first engine runs again from the start, to counts in between, until the first is found at which it
//    differs. A stop within a translated block has the rest of the block interpreted, so this finds the
//    block.
// 4. The same with each of the last instructions in a block of its own, which finds the instruction.
// Running again from the start is exact in virtual time, and keeps what a snapshot would lose: translations
// that are stale.
#pragma once

#include <functional>

#include "machine/lockstep/lockstep_side.h"
#include "machine/lockstep/ram_history.h"
#include "machine/lockstep/state_trace.h"

namespace ringshift {

struct LockstepOptions {
  u64 every = 1'000'000;  // instructions between comparisons
  u64 limit = ~u64{0};    // no more instructions than these
  // Told what is going on, for a person who waits.
  std::function<void(const std::string&)> progress = [](const std::string&) {};
};

struct LockstepReport {
  bool differ = false;
  RunOutcome::Kind ended = RunOutcome::Kind::reached;  // if they don't differ
  u64 instructions = 0;                                // that agree
  u64 comparisons = 0;
  bool exact = false;  // they differ: eip is the instruction, not only the block
  u32 eip = 0;         // of the first that goes wrong
  std::string text;    // all that there is to say about it
  std::string notes;   // what was not compared, where an engine leaves some of it to the CPU model
};

class Lockstep {
 public:
  // config.engines: the engine to be tested, and the reference. Virtual time must be on. `outputs` are those
  // of the first run of the tested engine; nothing else is heard.
  Lockstep(MachineConfig config, LockstepOptions options);

  Result<LockstepReport> run(MachineBackends outputs);

 private:
  struct Reference {
    StateTrace states;
    std::unique_ptr<RamHistory> ram;
    std::unique_ptr<LockstepSide> side;
    std::vector<std::size_t> io_counts;
    std::vector<u64> retired;
    u64 first = 0;  // the count of instructions of step 0
  };
  Result<std::unique_ptr<LockstepSide>> side(EngineKind engine, MachineBackends backends) const;
  // Runs a side to a count as the first run did, with a stop at each sample.
  void run_by_samples(LockstepSide& side, u64 to) const;
  Result<void> trace_reference(u64 first, u64 last);
  // How the tested engine, run to the count of that step, differs from the reference; empty: it doesn't.
  Result<std::string> probe(std::size_t step);
  // Of steps (equal, differs], by halves: the first that differs.
  Result<std::size_t> first_different(std::size_t equal, std::size_t differs);
  Result<LockstepReport> locate(u64 equal, u64 differs, const std::string& seen);
  Result<LockstepReport> describe(std::size_t step, bool exact, const std::string& seen);

  MachineConfig config_;
  LockstepOptions options_;
  Reference reference_;
  std::unique_ptr<LockstepSide> probed_;
};

}  // namespace ringshift
