// Shared lookups: one lookup for several accesses of a block, where the code moves their base by constants
// only.
//
// The lookup is of the range from the lowest to the highest of them, for writing if any writes. Where the
// range isn't in one page, or the Tlb doesn't have it, the same instructions run by lookups of their own.
#pragma once

#include <span>
#include <vector>

#include "translator/step.h"

namespace ringshift::bt {

struct SharedLookup {
  static constexpr i32 kNotShared = -1;
  unsigned first = 0, last = 0;  // steps: those that access memory by it, and all between
  u8 base = kNoRegister;         // the range begins at this register, as it stands before `first`,
  i32 low = 0;                   // plus this
  u32 bytes = 0;
  bool write = false;
  std::vector<i32> offsets;  // of the access of first, first + 1.. in the range; or kNotShared

  bool covers(unsigned step) const { return step >= first && step <= last; }
  i32 offset_of(unsigned step) const { return offsets[step - first]; }
};

// In the order of their steps; they don't overlap. None where the mode has a window.
std::vector<SharedLookup> plan_shared_lookups(std::span<const Step> steps, ModeKey mode);

}  // namespace ringshift::bt
