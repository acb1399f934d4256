// AddressSpaceHeat: which user address spaces have run long enough to be given a window.
//
// A window fill costs what thousands of lookups cost (design 2.3), so an address space begins with lookups
// and gets a window when events have found it running in user mode a few times: some ticks of the guest's
// clock. One whose window is filled faster than it is used (a new process has taken over the CR3) loses it
// again.
#pragma once

#include <unordered_map>

#include "base/types.h"

namespace ringshift::bt {

class AddressSpaceHeat {
 public:
  // An event found the guest in user mode at this CR3; `fills` is the count of all window fills so far. True
  // if the address space is hot now.
  bool touch(u32 cr3, u64 fills) {
    constexpr std::size_t kMostKept = 1024;
    if (spaces_.size() > kMostKept) spaces_.clear();
    Space& space = spaces_[cr3];
    constexpr u64 kFillsPerTouch = 64;
    const bool filled_too_fast = space.touches >= kHot && fills - space.fills > kFillsPerTouch;
    space.touches = filled_too_fast ? 0 : space.touches + 1;
    space.fills = fills;
    return space.touches >= kHot;
  }
  bool hot(u32 cr3) const {
    const auto found = spaces_.find(cr3);
    return found != spaces_.end() && found->second.touches >= kHot;
  }

 private:
  static constexpr unsigned kHot = 2;
  struct Space {
    unsigned touches = 0;
    u64 fills = 0;
  };
  std::unordered_map<u32, Space> spaces_;
};

}  // namespace ringshift::bt
