// VcpuKick: makes KVM_RUN return when an event is raised, from any thread or signal handler.
#pragma once

#include <pthread.h>

#include <atomic>

#include "cpu-model/run_control.h"
#include "hw-accel-kvm/kvm_abi.h"

namespace ringshift {

// On the vCPU's own thread immediate_exit is enough: outside KVM_RUN it makes the next one return, and in a
// signal handler the signal itself has ended KVM_RUN. Another thread sends a signal, whose handler does
// nothing.
class VcpuKick final : public EngineKick {
 public:
  VcpuKick(RunControl& control, kvm_run& shared) : control_(control), shared_(shared) {}
  VcpuKick(const VcpuKick&) = delete;

  // Around each run, on the thread that runs.
  void begin();
  void end();
  // Before the events are looked at, and then KVM_RUN is called.
  void rearm();
  void kick() override;

 private:
  RunControl& control_;
  kvm_run& shared_;
  pthread_t thread_{};
};

}  // namespace ringshift
