// SamplingTimer: raises kEventSample every few milliseconds that the vCPU's thread computes, so that policy
// sees what the guest is busy with, also where the guest has no clock of its own.
//
// It counts the thread's CPU time: an idle guest isn't woken by it.
#pragma once

#include "base/thread_timer.h"
#include "cpu-model/run_control.h"

namespace ringshift::bt {

class SamplingTimer {
 public:
  explicit SamplingTimer(RunControl& control) : control_(control) {}

  // Begins to sample the calling thread. Where the host gives no such timer nothing is sampled.
  void start();
  // On the same thread: no signal comes after it, and none of its events is left.
  void stop();

 private:
  RunControl& control_;
  ThreadTimer timer_;
};

}  // namespace ringshift::bt
