// TrapLoop: guest code on the CPU until it traps, the instruction that trapped by the CPU model, and again.
//
// The truth is cpu.state whenever no guest process runs, but for x87 and SSE state, which stays in the
// process that ran last until somebody asks for it (GuestFpu).
#pragma once

#include <memory>
#include <string>

#include "cpu-model/execution_engine.h"
#include "cpu-model/interp/interpreter.h"
#include "direct-exec/direct_run.h"
#include "direct-exec/hindrance.h"
#include "direct-exec/host_core.h"
#include "direct-exec/process_kick.h"
#include "direct-exec/process_nest.h"
#include "direct-exec/sensitive_kinds.h"
#include "direct-exec/sensitive_table.h"
#include "mmu-shadow/window_set.h"

namespace ringshift {

class TrapLoop final : public MmuObserver {
 public:
  explicit TrapLoop(Cpu& cpu);
  ~TrapLoop();
  TrapLoop(const TrapLoop&) = delete;

  // Makes the nest, or says why this host can't.
  Result<void> prepare();
  ExitReason run(CpuIo& io);
  void restore(const VcpuState& state);
  void report(StatsSink& sink) const;
  const std::string& failure() const { return failure_; }
  Cpu& cpu() { return cpu_; }

  // MmuObserver: to the windows, and to whoever observed the Cpu before (another engine of a set).
  void on_flush_all() override;
  void on_flush_address_space() override;
  void on_flush_page(Gva gva) override;
  void on_entry_marked(Gpa gpa) override;

 private:
  ExitReason loop(CpuIo& io);
  bool attend(CpuIo& io);
  // False: the engine has failed.
  bool turn();
  // The process of the view that the CPU is in, ready to run; null if there is none (the instruction was
  // emulated then, or the engine has failed).
  GuestProcess* enter_view();
  void run_directly(GuestProcess& process);
  void serve(const HostStop& stop);
  void serve_fault(const HostStop& stop);
  void serve_trap(const HostStop& stop);
  void serve_syscall();
  void serve_fast_system_call();
  void map_touched(Gva gva);
  void left_32_bit_mode();
  void step_back(u32 bytes);
  void emulate();

  // -d sensitive: trap_watch.cpp.
  bool turn_watched();
  void execute_sensitive(const Instruction& insn, SensitiveKind kind);
  bool step_on_cpu(const Instruction& insn, bool in_line);
  bool mend_view(const HostStop& stop);
  std::string value_by_model(const Instruction& insn, SensitiveKind kind, const VcpuState& before);
  bool ready_to_enter() const;
  bool follow_thread();

  Cpu& cpu_;
  Interpreter interpreter_;
  Decoder decoder_;
  MmuObserver* next_observer_ = nullptr;
  std::unique_ptr<ProcessNest> nest_;
  std::unique_ptr<WindowSet> windows_;
  DirectRun direct_;
  ProcessKick kick_;
  HostCore core_;
  std::unique_ptr<SensitiveTable> sensitive_;  // -d sensitive
  std::string failure_;

  struct Counters {
    u64 entries = 0, page_faults = 0, protection_faults = 0, other_faults = 0, breakpoints = 0, syscalls = 0;
    u64 kicks = 0, escapes = 0, no_process = 0, mapping_failures = 0, emulated = 0, watched = 0;
    u64 hindered[kHindranceNames.size()] = {};
  };
  Counters counters_;
};

}  // namespace ringshift
