// The host's clocks, in nanoseconds.
#pragma once

#include <ctime>

#include "base/types.h"

namespace ringshift {

// clock: CLOCK_MONOTONIC, CLOCK_THREAD_CPUTIME_ID and the like.
inline u64 host_clock_ns(clockid_t clock = CLOCK_MONOTONIC) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<u64>(now.tv_sec) * 1'000'000'000 + static_cast<u64>(now.tv_nsec);
}

}  // namespace ringshift
