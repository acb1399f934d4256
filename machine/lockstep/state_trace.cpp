// Differences of states by lines of bytes.
#include "machine/lockstep/state_trace.h"

#include <bit>
#include <cstring>

#include "base/check.h"

namespace ringshift {

void StateTrace::append(const VcpuState& state) {
  Lines lines{};
  std::memcpy(lines.bytes, &state, sizeof state);
  Entry entry{0, bytes_.size()};
  const bool whole = entries_.size() % kWholeEvery == 0;
  for (std::size_t i = 0; i < kLines; ++i) {
    const u8* const line = lines.bytes + i * kLine;
    if (!whole && std::memcmp(line, last_.bytes + i * kLine, kLine) == 0) continue;
    entry.changed |= 1u << i;
    bytes_.insert(bytes_.end(), line, line + kLine);
  }
  entries_.push_back(entry);
  last_ = lines;
}

VcpuState StateTrace::at(std::size_t index) const {
  RS_CHECK(index < entries_.size());
  Lines lines{};
  for (std::size_t i = index - index % kWholeEvery; i <= index; ++i) {
    const u8* from = bytes_.data() + entries_[i].bytes_at;
    for (u32 changed = entries_[i].changed; changed != 0; changed &= changed - 1, from += kLine)
      std::memcpy(lines.bytes + static_cast<unsigned>(std::countr_zero(changed)) * kLine, from, kLine);
  }
  VcpuState state;
  std::memcpy(&state, lines.bytes, sizeof state);
  return state;
}

}  // namespace ringshift
