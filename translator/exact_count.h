// ExactCount: instructions counted exactly while translated code runs, for virtual time (-icount).
//
// Translated code is given a budget: the instructions up to RunControl::deadline. Each block's head takes its
// own from it, and leaves for the dispatcher if they are more than what is left; the dispatcher then
// interprets up to the deadline. So retired is exact at the head of a block; in its middle, where a helper is
// called, it is too once the instructions that the block has not executed yet are given back.
#pragma once

#include <algorithm>

#include "cpu-model/run_control.h"
#include "translator/bt_context.h"

namespace ringshift::bt {

class ExactCount {
 public:
  ExactCount(RunControl& control, BtContext& context) : control_(control), context_(context) {}

  bool on() const { return control_.exact_count; }
  // Time for CpuIo::service.
  bool due() const { return on() && control_.retired >= control_.deadline; }
  // The deadline isn't passed by this many more.
  bool fits(u64 instructions) const { return !on() || instructions <= left(); }
  // Translated code was left in a block that has `unexecuted` instructions to go.
  void collect(u32 unexecuted) {
    control_.retired += static_cast<u64>(granted_ - context_.budget) - unexecuted;
    granted_ = context_.budget = 0;
  }
  // It is entered: at a block's head (0), or where a block has `unexecuted` instructions to go.
  void grant(u32 unexecuted) {
    constexpr u64 kMost = u64{1} << 55;  // Emitter::take_from_budget looks at the highest byte only
    granted_ = static_cast<i64>(std::min(left(), kMost));
    context_.budget = granted_ - unexecuted;
  }

 private:
  u64 left() const { return control_.deadline - std::min(control_.retired, control_.deadline); }
  RunControl& control_;
  BtContext& context_;
  i64 granted_ = 0;
};

}  // namespace ringshift::bt
