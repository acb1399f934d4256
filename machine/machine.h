// Machine: a virtual PC: memory, CPU, engine, board, and the loop that runs them on one thread.
//
// Nothing of it is global: a process can hold several.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/trace.h"
#include "cpu-model/cpu.h"
#include "devices/backend/char_backend.h"
#include "devices/clock.h"
#include "machine/alarm_advance.h"
#include "machine/board_io.h"
#include "machine/cpu_wires.h"
#include "machine/engine_rotation.h"
#include "machine/engine_set.h"
#include "machine/host_alarm.h"
#include "machine/machine_config.h"
#include "machine/pc_board.h"
#include "machine/work_queue.h"
#include "machine/xen_guest.h"
#include "translator/verify_io.h"

namespace ringshift {

// How a machine's run ended.
struct RunOutcome {
  enum class Kind {
    power_off,
    reset,         // under no_reboot
    guest_exit,    // isa-debug-exit; status
    triple_fault,  // message describes it
    domain_crash,  // a Xen domain did what Xen kills it for; message describes it
    stopped,       // request_stop(); in run_to(), halted for ever too
    reached,       // run_to()'s end
    failed,        // the kernel can't be loaded again at a reboot, the host gives no timer, or the engine
                   // has found a mistake of its own; error
  };
  Kind kind;
  int status = 0;
  std::string message;
  std::optional<Error> error;
};

// In words, for reports.
std::string_view outcome_name(RunOutcome::Kind kind);

// Where the machine's character devices go.
struct MachineBackends {
  std::unique_ptr<CharBackend> serial;
  std::unique_ptr<CharBackend> debugcon;  // null: no debug console
};

class Machine final : public PowerControl {
 public:
  // Makes everything and loads the kernel.
  static Result<std::unique_ptr<Machine>> create(MachineConfig config, MachineBackends backends,
                                                 Tracer tracer);
  Machine(const Machine&) = delete;
  ~Machine();

  // Runs the guest on the calling thread until it ends.
  RunOutcome run();

  // In virtual time: the same, until so many instructions have retired, or more if they have already. What is
  // due then has not been delivered yet.
  RunOutcome run_to(u64 retired);
  // From here on the CPU's I/O passes by the recorder; null: not.
  void record_io(bt::IoRecorder* recorder);
  std::vector<u8> device_state() const;

  // From any thread: run() returns soon.
  void request_stop();
  // From any thread: runs `work` on the vCPU's thread, possibly amid a guest instruction's effects.
  void post(std::function<void()> work) { queue_.post(std::move(work)); }
  // From any thread: runs `work` on the vCPU's thread while the engine is not running, so that the whole
  // state can be seen.
  void post_between_runs(std::function<void()> work);

  // PowerControl: on the vCPU's thread.
  void power_off() override { ask(RunOutcome{RunOutcome::Kind::power_off}); }
  void reset() override { ask(RunOutcome{RunOutcome::Kind::reset}); }
  void exit_with(int status) override { ask(RunOutcome{RunOutcome::Kind::guest_exit, status}); }

  // For reports and the monitor.
  void report(StatsSink& sink) const;
  std::string describe_cpu() const;
  // Between runs: the guest and its clock stand still, and go on. Work that is posted is done meanwhile.
  void pause_guest();
  void continue_guest();
  bool paused() const { return paused_; }
  void press_power_button();
  void raise_nmi() { wires_->raise_nmi(); }
  Cpu& cpu() { return *cpu_; }
  GuestMemory& memory() { return memory_; }
  PhysicalMap& physical_map() { return map_; }
  // Between runs: which engine runs next may be changed.
  EngineSet& engines() { return *engines_; }

 private:
  Machine(MachineConfig config, MachineBackends backends, Tracer tracer, GuestMemory memory,
          CpuidTable cpuid);
  Result<void> assemble();
  Result<void> make_board(i64 start_utc);
  void make_xen_guest();
  Result<VcpuState> load_guest();
  CpuIo& io() { return xen_ != nullptr ? xen_->io() : static_cast<CpuIo&>(*board_io_); }
  Result<void> boot();
  void forget_memory();
  void ask(RunOutcome outcome);
  void service();
  void follow_deadline();
  void wait_for_alarm();
  void wait_while_halted();
  void wait_while_paused();
  bool may_wake(u32 events) const;
  // What ended the run, if something did; reboots if that was asked for.
  std::optional<RunOutcome> settle(ExitReason reason);
  std::optional<RunOutcome> settle_requests();

  MachineConfig config_;
  MachineBackends backends_;
  Tracer tracer_;
  RunControl control_;
  GuestMemory memory_;
  PhysicalMap map_;
  CpuidTable cpuid_;
  std::unique_ptr<TimeSource> time_;
  InstructionTime* virtual_time_ = nullptr;  // time_, if it counts instructions
  std::unique_ptr<Clock> clock_;
  std::unique_ptr<Cpu> cpu_;
  std::unique_ptr<CpuWires> wires_;
  // One or the other, by MachineConfig::guest_abi.
  std::unique_ptr<PcBoard> board_;
  std::unique_ptr<XenGuest> xen_;
  std::unique_ptr<BoardIo> board_io_;
  std::unique_ptr<EngineSet> engines_;
  std::optional<EngineRotation> rotation_;
  WorkQueue queue_{control_};
  HostAlarm alarm_{control_};
  AlarmAdvance advance_;
  u64 alarm_due_ = Clock::kNever;  // the deadline that the alarm is ahead of
  std::vector<std::function<void()>> between_runs_;
  std::atomic<bool> stop_requested_{false};
  std::optional<RunOutcome> asked_;
  bool paused_ = false;
  std::optional<u64> run_to_;  // instructions
  bool reached_ = false;
  bt::IoRecorder* recorder_ = nullptr;
  bool used_ = false;  // a guest ran in this memory
  i64 start_utc_ = 0;
  struct Counters {
    u64 halts = 0, leaves = 0, services = 0, boots = 0;
    u64 started_ns = 0, halted_ns = 0, paused_ns = 0;
  };
  Counters counters_;
};

}  // namespace ringshift
