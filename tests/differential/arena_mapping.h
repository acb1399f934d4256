// ArenaMapping: the arenas at their linear addresses in this process, for code that the host itself runs.
#pragma once

#include "base/result.h"
#include "tests/differential/flat_machine.h"

namespace ringshift::differential {

// Where an arena begins, if all stand one behind the other.
constexpr u32 arena_offset(unsigned index) {
  u32 offset = 0;
  for (unsigned i = 0; i < index; ++i) offset += kArenas[i].size();
  return offset;
}

class ArenaMapping {
 public:
  ArenaMapping() = default;
  ArenaMapping(const ArenaMapping&) = delete;
  ~ArenaMapping();
  // Maps a file in which they stand so from `first` on. Fails where the addresses aren't free (a program that
  // isn't position-independent); does without the low arena.
  Result<void> map(int file, u64 first);
  bool has_low() const { return mapped_[kLow]; }

 private:
  std::array<bool, kArenaCount> mapped_{};
};

// Whether this host lets the low arena be mapped (vm.mmap_min_addr). While nothing is mapped there.
bool may_have_low_arena();

}  // namespace ringshift::differential
