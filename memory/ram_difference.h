// Two guests' RAM of one size, copied and compared; what the host holds no pages for is zero and passed over.
#pragma once

#include <optional>
#include <vector>

#include "memory/guest_memory.h"

namespace ringshift {

struct RamRange {
  u64 first;
  u64 end;
};

// What the host holds of either, in order, without overlaps.
std::vector<RamRange> ranges_held(const GuestMemory& left, const GuestMemory& right);
u64 bytes_in(const std::vector<RamRange>& ranges);
void copy_ram(const GuestMemory& from, const GuestMemory& to);
// The first byte that differs in [first, end).
std::optional<Gpa> difference_in(const GuestMemory& left, const GuestMemory& right, RamRange range);

}  // namespace ringshift
