// CountedRun: guest code by KVM, an instruction at a time, counted exactly as the interpreter counts (for
// lockstep).
//
// KVM steps by TF, and a fault would push that TF and run its handler without a step. So the guest has an
// empty interrupt table while KVM steps it: what would go through the table, a fault or INT n, shuts the vCPU
// down instead, and nothing is changed. The instruction is then executed again without TF, with the guest's
// table, and with marks where the handlers begin (handler_marks.h). Which handlers those may be, the CPU
// model says; where none can be marked (task gates, handlers above CPL 0), the model delivers. Interrupts
// from outside come between two instructions, in the same way.
#pragma once

#include "cpu-model/event_delivery.h"
#include "cpu-model/interp/interpreter.h"
#include "hw-accel-kvm/host_quirks.h"
#include "hw-accel-kvm/kvm_memory.h"
#include "hw-accel-kvm/kvm_vcpu.h"
#include "hw-accel-kvm/state_image.h"
#include "hw-accel-kvm/step_kind.h"

namespace ringshift {

class CountedRun {
 public:
  // All must outlive it.
  CountedRun(Cpu& cpu, KvmVcpu& vcpu, KvmMemory& memory, const HostQuirks& quirks, bool has_tsc_aux);

  // As ExecutionEngine::run(), with RunControl::retired and deadline kept. An error is KVM's, or says that it
  // and the CPU model disagree about a fault.
  Result<ExitReason> run(CpuIo& io);
  // cpu.state was replaced.
  void forget() { known_valid_ = false; }
  void report(StatsSink& sink) const;

 private:
  static constexpr unsigned kPatience = 20;  // half seconds of the watchdog's
  // What became of an instruction.
  enum class End : u8 {
    done,
    halted,
    raised,  // an exception or a software interrupt: the vCPU was shut down
  };
  Result<void> attend(CpuIo& io);
  Result<void> step(CpuIo& io);
  void step_by_model();
  bool only_interrupt_waits() const;

  // counted_delivery.cpp.
  Result<void> step_what_raises();
  Result<void> take_interrupt(CpuIo& io);
  std::optional<Event> predict();
  // KVM executes the instruction at CS:EIP that raises this, or delivers it (external). False: it can't be
  // caught, and nothing has changed.
  Result<bool> enter_handler(const Event& event);
  Result<bool> run_to_mark();
  void save_resume_flag(const Event& event);

  Result<End> step_by_kvm(CpuIo& io, StepKind kind);
  // One element of a repeated instruction; else all of it.
  Result<End> step_once(CpuIo& io);
  Result<End> finish(CpuIo& io);
  Result<bool> moved_on();
  Result<void> load();
  Result<void> take(StepKind kind);
  void hide_trap_flag();
  // In SS, of what was just pushed; null if that is not in RAM.
  u8* stack_byte(u32 offset) const;
  Result<void> ask_for_step();

  Cpu& cpu_;
  KvmVcpu& vcpu_;
  KvmMemory& memory_;
  const HostQuirks& quirks_;
  bool has_tsc_aux_;
  Decoder decoder_;
  Interpreter model_;
  VcpuState known_{};  // what KVM holds, if cpu.state is equal to it
  bool known_valid_ = false;

  struct Counters {
    u64 stepped = 0, modelled = 0, delivered = 0, model_delivered = 0;
  };
  Counters counters_;
};

}  // namespace ringshift
