// Generator: from a seed and a number to one case of code that loads segments, changes tables, flags and
// control registers, goes through gates, patches itself: at any privilege, under PAE or 32-bit paging.
#pragma once

#include "cpu-model/vcpu_state.h"
#include "tests/differential/generator.h"
#include "tests/supervisor/layout.h"

namespace ringshift::supervisor {

struct Case {
  differential::Sequence sequence;
  VcpuState state;
  u64 memory_seed = 0;
  bool interrupt = false;  // one waits from the start
  Ending ending = Ending::stop;
  Mode mode = Mode::protected32;
  bool pae() const { return (state.cr4 & kCr4Pae) != 0; }
};

class Generator {
 public:
  explicit Generator(const CpuidTable& cpuid) : user_(cpuid, true, false) {}
  // base: the CPU's state after reset.
  Case generate(u64 seed, u64 number, const VcpuState& base) const;

 private:
  void draw_items(differential::Random& random, Case& test) const;
  bool place(differential::Random& random, Case& test) const;

  differential::Generator user_;
};

}  // namespace ringshift::supervisor
