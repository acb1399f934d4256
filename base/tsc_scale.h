// TscScale: the guest's time-stamp counter as a linear function of the host's.
#pragma once

#include "base/types.h"

namespace ringshift {

struct TscScale {
  u64 host_base = 0;   // at this host TSC ...
  u64 guest_base = 0;  // ... the guest's stands here
  u64 rate = 0;        // guest counts for each host count, with 32 fractional bits

  // Signed in between: another core's TSC may lag a little behind host_base.
  u64 at(u64 host_tsc) const {
    const auto elapsed = static_cast<i64>(host_tsc - host_base);
    return guest_base + static_cast<u64>(static_cast<__int128>(elapsed) * static_cast<i64>(rate) >> 32);
  }
};

}  // namespace ringshift
