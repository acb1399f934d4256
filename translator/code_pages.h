// CodePages: the linear pages that blocks were entered at, a bit each: INVLPG of any other changes no code.
#pragma once

#include <algorithm>
#include <utility>

#include "base/types.h"
#include "base/zeroed_array.h"
#include "cpu-model/vcpu_state.h"

namespace ringshift::bt {

class CodePages {
 public:
  void note(Gva gva) { now_[gva >> kWordShift] |= bit(gva); }
  bool has(Gva gva) const { return ((now_[gva >> kWordShift] | before_[gva >> kWordShift]) & bit(gva)) != 0; }
  // The code cache begins anew: what is noted from here on, and what was since the last time, counts.
  void start_lap() {
    std::swap(now_, before_);
    std::fill(now_.begin(), now_.end(), 0);
  }
  void clear() {
    std::fill(now_.begin(), now_.end(), 0);
    std::fill(before_.begin(), before_.end(), 0);
  }

 private:
  static constexpr unsigned kWordShift = kPageShift + 5;
  static u32 bit(Gva gva) { return 1u << ((gva >> kPageShift) & 31); }
  static constexpr std::size_t kWords = std::size_t{1} << (32 - kWordShift);
  ZeroedArray<u32> now_{kWords}, before_{kWords};
};

}  // namespace ringshift::bt
