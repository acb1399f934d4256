// EndlessWatch: ends a run of an engine whose code goes round for ever, as HostRunner does on the host's CPU.
#pragma once

#include "cpu-model/run_control.h"

namespace ringshift::differential {

class EndlessWatch {
 public:
  // Of this process's CPU time.
  static constexpr unsigned kTicksPerSecond = 20;

  // Until destroyed, the engine is asked to stop after so many ticks, or one less. One at a time.
  explicit EndlessWatch(RunControl& control, unsigned ticks = 2 * kTicksPerSecond);
  ~EndlessWatch();
  EndlessWatch(const EndlessWatch&) = delete;
  // It was asked to.
  bool ended() const;
};

}  // namespace ringshift::differential
