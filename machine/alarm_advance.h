// AlarmAdvance: how much ahead of a deadline the host is asked to wake us, because it wakes late.
//
// A host's timer signal comes some microseconds late, a dozen in a virtual machine. Being woken so much
// ahead, and waiting for the rest at the deadline's door, makes the guest's timer as exact as the lateness is
// steady (as KVM's lapic_timer_advance does for hardware-assisted guests).
#pragma once

#include <algorithm>

#include "base/types.h"

namespace ringshift {

class AlarmAdvance {
 public:
  static constexpr u64 kMostNs = 20'000;

  // For a deadline in delta ns: in how many to wake.
  u64 wake_after(u64 delta) const { return delta >= 2 * ns_ ? delta - ns_ : delta; }
  u64 ns() const { return ns_; }

  // What waking at such an instant came to: ns after the deadline, or before it (negative).
  void woken(i64 late) {
    // Far off, the thread was not running or something else woke it: that says nothing.
    if (late > static_cast<i64>(4 * kMostNs) || late < -static_cast<i64>(kMostNs)) return;
    const i64 next = static_cast<i64>(ns_) + late / kSteps;
    ns_ = static_cast<u64>(std::clamp<i64>(next, 0, kMostNs));
  }

 private:
  static constexpr i64 kSteps = 8;
  u64 ns_ = 0;
};

}  // namespace ringshift
