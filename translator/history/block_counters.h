// BlockCounters: what emitted code counts of a block's executions, for who asked.
#pragma once

#include "base/types.h"

namespace ringshift::bt {

struct BlockCounters {
  static constexpr unsigned kMostSideExits = 2, kMostLoopExits = 3;
  u64 entries = 0;
  u64 side_exits[kMostSideExits] = {};  // taken, in the order of the guest's code
  u64 loop_exits[kMostLoopExits] = {};  // of a tight loop: left after the first round, the second, ..
};

}  // namespace ringshift::bt
