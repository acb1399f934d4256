// probe_trap: finds out by doing it whether this host lets the trap engine run guests, and what a trap costs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"

namespace ringshift {

// One thing that the engine asks of the host.
struct TrapCheck {
  std::string name;
  bool works;
  std::string detail;  // what happened instead
};

inline constexpr std::string_view kTrapProcess = "a process that is traced (ptrace)";
inline constexpr std::string_view kTrapFilter = "a seccomp filter around it";
inline constexpr std::string_view kTrapSegments = "segments in its LDT (modify_ldt)";
inline constexpr std::string_view kTrapGuest = "32-bit guest code in such segments";

struct TrapProbe {
  // In this order, up to the first that doesn't work.
  std::vector<TrapCheck> checks;
  u64 lowest_mapping = 0;    // vm.mmap_min_addr: what the guest has below it is interpreted
  bool cpuid_traps = false;  // else the guest sees the host's CPUID
  double trap_ns = 0;        // the median from one OUT to the next; 0 where it can't be measured

  // Null: all is well.
  const TrapCheck* failing() const;
};

// In a guest of its own, in some ten milliseconds.
TrapProbe probe_trap();

}  // namespace ringshift
