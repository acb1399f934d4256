// EndlessWatch: ends a run of an engine whose code goes round for ever, as HostRunner does on the host's CPU.
#pragma once

#include "cpu-model/run_control.h"

namespace ringshift::differential {

class EndlessWatch {
 public:
  // Until destroyed, the engine is asked to stop after a second or two of this process's CPU time. One at a
  // time.
  explicit EndlessWatch(RunControl& control);
  ~EndlessWatch();
  EndlessWatch(const EndlessWatch&) = delete;
  // It was asked to.
  bool ended() const;
};

}  // namespace ringshift::differential
