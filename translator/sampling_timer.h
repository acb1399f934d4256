// SamplingTimer: raises kEventSample every few milliseconds that the vCPU's thread computes, so that policy
// sees what the guest is busy with, also where the guest has no clock of its own.
//
// It counts the thread's CPU time: an idle guest isn't woken by it.
#pragma once

#include <ctime>

#include "cpu-model/run_control.h"

namespace ringshift::bt {

class SamplingTimer {
 public:
  explicit SamplingTimer(RunControl& control) : control_(control) {}
  ~SamplingTimer();
  SamplingTimer(const SamplingTimer&) = delete;

  // Begins to sample the calling thread. Where the host gives no such timer nothing is sampled.
  void start();
  // On the same thread: no signal comes after it, and none of its events is left.
  void stop();

 private:
  RunControl& control_;
  timer_t timer_{};
  int thread_ = 0;  // whose CPU time the timer counts; 0: there is no timer
};

}  // namespace ringshift::bt
