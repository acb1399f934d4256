// EngineRunner: runs user-level code under an ExecutionEngine, in a machine that is nothing but RAM.
#pragma once

#include <memory>

#include "base/trace.h"
#include "cpu-model/cpu.h"
#include "cpu-model/cpuid.h"
#include "cpu-model/empty_board.h"
#include "cpu-model/execution_engine.h"
#include "memory/guest_memory.h"
#include "memory/physical_map.h"
#include "tests/differential/arena_mapping.h"
#include "tests/differential/engine_factory.h"
#include "tests/differential/flat_machine.h"

namespace ringshift::differential {

// Where an arena stands in the machine's memory.
constexpr u64 arena_physical(unsigned index) { return 0x20000 + arena_offset(index); }

class EngineRunner final : public Runner, private EmptyBoard {
 public:
  static Result<std::unique_ptr<EngineRunner>> create(const EngineFactory& factory, bool low_arena);

  void write(u32 address, std::span<const u8> bytes) override;
  const u8* arena(ArenaIndex index) const override;
  RunResult run(const UserState& state) override;
  void report(StatsSink& sink) const { engine_->report(sink); }
  // Runs that go round for ever end with kEndless, as HostRunner's do: for the one that results are expected
  // from.
  void tell_endless() { tells_endless_ = true; }

 private:
  EngineRunner(GuestMemory memory, CpuidTable cpuid);
  void build_tables(bool low_arena);
  void map_page(u32 linear, u64 physical, u64 flags);
  void put(u64 physical, const void* data, u32 size);
  void put64(u64 physical, u64 value) { put(physical, &value, sizeof value); }
  void prepare_base_state();
  RunResult read_stop(const VcpuState& state) const;

  GuestMemory memory_;
  PhysicalMap physical_;
  CpuidTable cpuid_;
  RunControl control_;
  Tracer tracer_;
  Cpu cpu_;
  std::unique_ptr<ExecutionEngine> engine_;
  VcpuState base_{};
  u64 next_table_;
  bool tells_endless_ = false;
};

}  // namespace ringshift::differential
