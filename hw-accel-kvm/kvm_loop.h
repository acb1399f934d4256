// KvmLoop: KVM_RUN again and again: state in, interrupts, exits, state out.
//
// Between runs the truth is cpu.state. In run() it is KVM's from the first entry on, and cpu.state is older,
// but for what KVM doesn't hold (state_image.h).
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "cpu-model/cpu.h"
#include "cpu-model/execution_engine.h"
#include "hw-accel-kvm/counted_run.h"
#include "hw-accel-kvm/host_quirks.h"
#include "hw-accel-kvm/kvm_engine.h"
#include "hw-accel-kvm/kvm_memory.h"
#include "hw-accel-kvm/kvm_time.h"
#include "hw-accel-kvm/kvm_vcpu.h"
#include "hw-accel-kvm/vcpu_kick.h"

namespace ringshift {

class Interpreter;

class KvmLoop {
 public:
  KvmLoop(Cpu& cpu, const KvmOptions& options, KvmSystem system, KvmVm vm, KvmVcpu vcpu);
  KvmLoop(const KvmLoop&) = delete;
  ~KvmLoop();
  Result<void> prepare();

  ExitReason run(CpuIo& io);
  void restore(const VcpuState& state);
  void report(StatsSink& sink) const;
  const std::string& failure() const { return failure_; }
  void set_single_step(bool on) { single_step_ = on; }
  std::string tsc_note() const;
  bool counts() const { return counted_ != nullptr; }
  Cpu& cpu() { return cpu_; }

 private:
  // What the loop does next: go on, or leave with this.
  using Step = std::optional<ExitReason>;

  ExitReason run_counted(CpuIo& io);
  Result<Step> turn(CpuIo& io);
  Result<Step> enter_and_serve(CpuIo& io);
  Result<Step> serve(CpuIo& io);
  Result<Step> leave(CpuIo& io, ExitReason reason);
  Result<Step> shut_down(CpuIo& io);

  // What waits while cpu.state is the truth. False: halted, with nothing to wake it.
  Result<bool> attend_in_state(CpuIo& io);
  Result<void> attend_in_kvm();
  Result<void> inject(CpuIo& io);
  bool interrupt_asserted() const;
  bool open_for_interrupts() const;
  void step_by_interpreter();

  Result<void> state_in(CpuIo& io);
  Result<void> state_out(CpuIo& io);
  Result<Step> finish_instruction(CpuIo& io);
  Result<void> serve_io(CpuIo& io);
  Result<Step> trap_after_io(CpuIo& io);
  Result<void> serve_msr(CpuIo& io, bool write);
  Result<void> debug_in();

  Cpu& cpu_;
  KvmOptions options_;
  KvmSystem system_;
  KvmVm vm_;
  KvmVcpu vcpu_;
  KvmMemory memory_;
  KvmTime time_;
  VcpuKick kick_;
  std::unique_ptr<Interpreter> stepper_;  // made when first needed
  const HostQuirks quirks_ = HostQuirks::of_this_host();
  bool has_tsc_aux_;
  std::unique_ptr<CountedRun> counted_;  // if instructions are counted
  bool in_kvm_ = false;                  // KVM holds the state
  bool ran_ = false;  // KVM_RUN has returned since the state went in: the shared page tells of IF and shadows
  bool unfinished_ = false;  // the instruction of the last exit is completed by the next KVM_RUN
  u32 io_traps_ = 0;         // DR6 bits of I/O breakpoints that the unfinished instruction has met
  bool queued_ = false;      // an interrupt was given to KVM since it last ran
  bool single_step_ = false;
  bool stepping_ = false;  // as KVM was told
  int queued_vector_ = -1;
  VcpuState known_{};  // what KVM holds, if cpu.state is equal to it
  bool known_valid_ = false;
  std::string failure_;

  struct Counters {
    u64 entries = 0, io = 0, mmio = 0, msr = 0, halts = 0, windows = 0, kicks = 0, interrupts = 0, nmis = 0;
    u64 transfers_in = 0, transfers_out = 0, events_finished = 0, interpreted = 0;
  };
  Counters counters_;
};

}  // namespace ringshift
