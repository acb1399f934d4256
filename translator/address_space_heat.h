// AddressSpaceHeat: which user address spaces are worth a window.
//
// A window fill costs what thousands of lookups cost (design 2.3), so an address space begins with lookups
// and gets a window when events have found it running in user mode a few times: ticks of the guest's clock,
// samples. It loses the window again if that is filled faster than it is used (a new process has taken over
// the CR3), and for longer if comparing it at each context switch costs too much of the time.
#pragma once

#include <unordered_map>

#include "base/types.h"

namespace ringshift::bt {

class AddressSpaceHeat {
 public:
  // What windows have cost so far, at some time.
  struct Cost {
    u64 now_ns = 0;
    u64 compared = 0;  // pages, in resynchronisations of this address space's window
  };

  // An event found the guest in user mode at this CR3. True if the address space is hot now.
  bool touch(u32 cr3, const Cost& cost) {
    constexpr std::size_t kMostKept = 1024;
    if (spaces_.size() > kMostKept) spaces_.clear();
    Space& space = spaces_[cr3];
    if (space.touches >= kHot && compared_too_much(space.last, cost)) {
      space.touches = -kRest;
    } else {
      ++space.touches;
    }
    space.last = cost;
    space.fills = 0;
    return space.touches >= kHot;
  }
  // Its window was filled. False if that has happened too often since it was touched: it is hot no longer.
  bool filled(u32 cr3) {
    constexpr u32 kFillsPerTouch = 64;
    const auto found = spaces_.find(cr3);
    if (found == spaces_.end() || ++found->second.fills <= kFillsPerTouch) return true;
    found->second = {};
    return false;
  }
  bool hot(u32 cr3) const {
    const auto found = spaces_.find(cr3);
    return found != spaces_.end() && found->second.touches >= kHot;
  }

 private:
  static constexpr int kHot = 2;
  static constexpr int kRest = 64;  // touches
  struct Space {
    int touches = 0;
    u32 fills = 0;  // since the last touch
    Cost last;
  };
  // More than an eighth of the time; a page takes 3 ns.
  static bool compared_too_much(const Cost& last, const Cost& now) {
    constexpr u64 kCompareNs = 3;
    if (now.compared < last.compared) return false;  // another window
    return (now.compared - last.compared) * kCompareNs > (now.now_ns - last.now_ns) / 8;
  }
  std::unordered_map<u32, Space> spaces_;
};

}  // namespace ringshift::bt
