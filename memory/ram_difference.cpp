// Copying and comparing by the extents of the memfds.
#include "memory/ram_difference.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/bits.h"

namespace ringshift {

namespace {

void add_extents(const GuestMemory& memory, std::vector<RamRange>& out) {
  const auto size = static_cast<off_t>(memory.size());
  for (off_t at = 0; at < size;) {
    const off_t data = ::lseek(memory.fd(), at, SEEK_DATA);
    if (data < 0) return;  // nothing but a hole is left
    const off_t hole = ::lseek(memory.fd(), data, SEEK_HOLE);
    const off_t end = hole < 0 ? size : hole;
    out.push_back({static_cast<u64>(data), static_cast<u64>(end)});
    at = end;
  }
}

}  // namespace

std::vector<RamRange> ranges_held(const GuestMemory& left, const GuestMemory& right) {
  std::vector<RamRange> all;
  add_extents(left, all);
  add_extents(right, all);
  std::sort(all.begin(), all.end(), [](const RamRange& a, const RamRange& b) { return a.first < b.first; });
  std::vector<RamRange> joined;
  for (const RamRange& range : all) {
    if (joined.empty() || joined.back().end < range.first)
      joined.push_back(range);
    else
      joined.back().end = std::max(joined.back().end, range.end);
  }
  return joined;
}

u64 bytes_in(const std::vector<RamRange>& ranges) {
  u64 sum = 0;
  for (const RamRange& range : ranges) sum += range.end - range.first;
  return sum;
}

void copy_ram(const GuestMemory& from, const GuestMemory& to) {
  for (const RamRange& range : ranges_held(from, to))
    std::memcpy(to.base() + range.first, from.base() + range.first, range.end - range.first);
}

std::optional<Gpa> difference_in(const GuestMemory& left, const GuestMemory& right, RamRange range) {
  const u8* const a = left.base();
  const u8* const b = right.base();
  for (u64 at = range.first; at < range.end;) {
    const u64 next = std::min(align_down(at, u64{kPageSize}) + kPageSize, range.end);
    if (std::memcmp(a + at, b + at, next - at) != 0) return std::mismatch(a + at, a + next, b + at).first - a;
    at = next;
  }
  return std::nullopt;
}

}  // namespace ringshift
