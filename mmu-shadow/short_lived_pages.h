// ShortLivedPages: linear pages that the guest maps and flushes again and again, as a kernel's fixmap or
// kmap.
//
// In a window each such life costs a host fault and two system calls, which the few accesses of it don't win
// back; a lookup walks the guest's tables for a fraction of that. Only what INVLPG took away counts, and only
// as a share of all that it took: what was busy once is forgotten when others are.
#pragma once

#include <array>

#include "base/types.h"

namespace ringshift {

class ShortLivedPages {
 public:
  // Of this many drops by INVLPG, kPatience of one page make it short-lived.
  static constexpr unsigned kLap = 1024, kPatience = 8;

  // INVLPG has taken the page (a page number) out of the window.
  void note_dropped(u32 page) {
    Entry& entry = entries_[page % kEntries];
    if (entry.page != page) entry = {page, 0};
    if (entry.drops < kPatience) ++entry.drops;
    if (++drops_ % kLap != 0) return;
    for (Entry& each : entries_) each.drops /= 2;
  }
  bool has(u32 page) const {
    const Entry& entry = entries_[page % kEntries];
    return entry.page == page && entry.drops >= kPatience;
  }
  void forget() { entries_ = {}; }

 private:
  static constexpr unsigned kEntries = 256;
  struct Entry {
    u32 page;
    u32 drops;
  };
  std::array<Entry, kEntries> entries_{};
  u32 drops_ = 0;
};

}  // namespace ringshift
