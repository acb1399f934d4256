// HostAlarm: a timer of the host that makes the vCPU's thread look at its timers.
//
// The signal handler only raises kEventService (design 2.10): it needs no lock and may interrupt generated
// code at any instruction.
#pragma once

#include "base/result.h"
#include "base/thread_timer.h"
#include "base/types.h"
#include "cpu-model/run_control.h"

namespace ringshift {

class HostAlarm {
 public:
  explicit HostAlarm(RunControl& control) : control_(control) {}

  // The calling thread becomes the one that is signalled.
  Result<void> start();
  void stop() { timer_.destroy(); }
  // Raises the event in delta_ns from now; 0: at once.
  void arm(u64 delta_ns);
  void disarm() { timer_.disarm(); }

 private:
  RunControl& control_;
  ThreadTimer timer_;
};

}  // namespace ringshift
