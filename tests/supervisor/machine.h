// Machine: RAM, a CPU and an engine, for code of any privilege; all that it leaves behind can be compared.
#pragma once

#include <memory>

#include "base/trace.h"
#include "cpu-model/cpu.h"
#include "cpu-model/cpuid.h"
#include "cpu-model/empty_board.h"
#include "cpu-model/execution_engine.h"
#include "memory/guest_memory.h"
#include "memory/physical_map.h"
#include "tests/differential/engine_factory.h"
#include "tests/supervisor/layout.h"

namespace ringshift::supervisor {

class Machine final : private EmptyBoard {
 public:
  static Result<std::unique_ptr<Machine>> create(const differential::EngineFactory& factory);

  // Makes RAM these kImageSize bytes; what is so already isn't written.
  void fill(std::span<const u8> image);
  std::span<const u8> memory() const { return {memory_.base(), kImageSize}; }
  // Runs from this state, an interrupt waiting if so wanted, until HLT or the end of the CPU.
  ExitReason run(VcpuState& state, bool interrupt);
  // Of the next runs, for the interpreter: they end with ExitReason::requested there, or after kTicks.
  void limit_instructions(u64 most) { limit_ = most; }
  // Writes what `ringshift run -d` would, to a file.
  Result<void> trace(std::string_view points, const std::string& file);
  void report(StatsSink& sink) const { engine_->report(sink); }

 private:
  explicit Machine(GuestMemory memory, CpuidTable cpuid)
      : memory_(std::move(memory)),
        physical_(memory_),
        cpuid_(std::move(cpuid)),
        cpu_(physical_, cpuid_, control_, tracer_) {}
  static constexpr unsigned kTicks = 3;  // EndlessWatch
  int acknowledge_interrupt() override {
    control_.clear_event(kEventInterrupt);
    return kIrqVector;
  }
  void service(u32) override {
    if (control_.retired >= control_.deadline) control_.raise_event(kEventExit);
  }

  GuestMemory memory_;
  PhysicalMap physical_;
  CpuidTable cpuid_;
  RunControl control_;
  Tracer tracer_;
  Cpu cpu_;
  std::unique_ptr<ExecutionEngine> engine_;
  u64 limit_ = 0;  // 0: none
};

}  // namespace ringshift::supervisor
