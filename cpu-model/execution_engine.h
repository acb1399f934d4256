// ExecutionEngine: what every way of running guest code offers the machine.
#pragma once

#include <string>
#include <string_view>

#include "cpu-model/cpu_io.h"
#include "cpu-model/vcpu_state.h"
#include "memory/physical_map.h"

namespace ringshift {

enum class ExitReason {
  requested,  // request_exit() or kEventExit
  halted,     // HLT with nothing to deliver; run again when an event is there
  shutdown,   // triple fault; VcpuState::shutdown is set
  failed,     // the engine has found a mistake of its own: failure()
};

struct EngineCapabilities {
  std::string_view name;  // as -engine spells it
  bool virtual_time;      // can count instructions exactly (-icount)
  bool exact_debug_registers;
};

// A named count for -stats; engines list theirs in a fixed order.
class StatsSink {
 public:
  virtual void count(std::string_view group, std::string_view name, u64 value) = 0;
  // For figures that aren't counts (ratios, seconds).
  virtual void figure(std::string_view group, std::string_view name, double value, std::string_view unit) = 0;

 protected:
  ~StatsSink() = default;
};

class ExecutionEngine {
 public:
  virtual ~ExecutionEngine() = default;

  // Runs guest code on the calling thread until there is a reason to leave.
  virtual ExitReason run(CpuIo& io) = 0;
  // Makes run() return soon. From any thread or signal handler.
  virtual void request_exit() = 0;
  // Copies the architectural state out and in; only while run() is not active. After restore() the engine
  // uses nothing that it knew of the guest's paging, and looks at what the state says is pending.
  virtual void save(VcpuState& state) const = 0;
  virtual void restore(const VcpuState& state) = 0;
  // Before another engine takes over: PhysicalMap::note_page_write() for each page that run() has written to
  // past the page attributes since the last call. For engines that honour them there is none.
  virtual void note_writes(PhysicalMap&) {}
  virtual EngineCapabilities capabilities() const = 0;
  virtual void report(StatsSink& sink) const = 0;
  // After ExitReason::failed: what is wrong, in one line.
  virtual std::string failure() const { return {}; }
  // For people: what code of the host's stands for the instructions at CS:EIP, if any. Between runs.
  virtual std::string list_next() { return {}; }
};

}  // namespace ringshift
