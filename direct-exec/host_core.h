// HostCore: keeps the monitor's thread and the guest process that it waits for on one core.
//
// Each waits while the other runs. On one core a round trip is two context switches, on two it is two
// wake-ups of an idle core (docs/trap.md: ten times as long). The scheduler would spread them.
#pragma once

#include <sched.h>

#include "base/types.h"

namespace ringshift {

class HostCore {
 public:
  // Around each run, on the thread that runs.
  void begin();
  void end();
  // Now and then: lets the scheduler choose another core for both.
  void look();
  int cpu() const { return cpu_; }

 private:
  void settle();
  cpu_set_t allowed_{};
  int cpu_ = -1;
  u64 next_look_ = 0;
};

}  // namespace ringshift
