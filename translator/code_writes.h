// CodeWrites: the pages of code that the guest has written to lately, and which of their bytes blocks depend
// on.
//
// A store to any other byte of such a page may simply be done: data beside code, code that was never run, an
// operand that translated code reads in place. translator/light_writes.cpp asks here; the table is small and
// of one size, and a page that isn't in it is only slower.
#pragma once

#include <algorithm>

#include "base/bits.h"
#include "base/types.h"
#include "cpu-model/vcpu_state.h"

namespace ringshift::bt {

class CodeWrites {
  static u64 low_bits(u32 count) { return count >= 64 ? ~u64{0} : (u64{1} << count) - 1; }

 public:
  static constexpr Gpa kNone = ~Gpa{0};
  // Stores to a page that hit no block, until its blocks are given up.
  static constexpr u32 kPatience = 4096;
  // The same for a page that has no blocks just now, but is patched: it had new ones so often since it was
  // first written.
  static constexpr u32 kEmptyPatience = 64, kPatchedReturns = 2;
  struct Page {
    Gpa page = kNone;
    // Stores that may still be let through; then its blocks are given up (BlockTable::note_written).
    u32 patience = 0;
    // How often blocks were made of it since it was first written: such a page is patched, not reused.
    u32 returns = 0;
    u64 guarded[kPageSize / 64] = {};  // a bit for each byte that a block depends on

    bool held() const { return page != kNone; }
    // Bytes [first, end) of it.
    void guard(u32 first, u32 end) {
      for (u32 at = first; at < end; at = (at / 64 + 1) * 64) {
        const u32 bits = std::min(end - at, 64 - at % 64);
        guarded[at / 64] |= low_bits(bits) << (at % 64);
      }
    }
    // Whether a block depends on any of these bytes, or did when the guards were last made anew.
    bool guards(u32 first, u32 bytes) const {
      for (u32 at = first, end = first + bytes; at < end; at = (at / 64 + 1) * 64)
        if ((guarded[at / 64] & low_bits(std::min(end - at, 64 - at % 64)) << (at % 64)) != 0) return true;
      return false;
    }
    void clear_guards() { std::fill(std::begin(guarded), std::end(guarded), 0); }
  };

  // Whether `bytes`, within one page, may be stored at gpa now, and no block need be dropped first.
  // Counts the store.
  bool lets(Gpa gpa, u32 bytes) {
    Page& page = slot(gpa);
    if (!would_let(gpa, bytes)) return false;
    --page.patience;
    return true;
  }
  // The same, and counts nothing.
  bool would_let(Gpa gpa, u32 bytes) const {
    const Page& page = slots_[index(gpa)];
    return page.page == page_of(gpa) && page.patience != 0 &&
           !page.guards(static_cast<u32>(gpa & kPageOffsetMask), bytes);
  }

  Page* find(Gpa gpa) { return slot(gpa).page == page_of(gpa) ? &slot(gpa) : nullptr; }
  bool has(Gpa gpa) const { return slots_[index(gpa)].page == page_of(gpa); }
  // Where the page would stand; another may stand there.
  Page& slot(Gpa gpa) { return slots_[index(gpa)]; }
  auto& slots() { return slots_; }

 private:
  static constexpr unsigned kSlots = 256;
  static Gpa page_of(Gpa gpa) { return gpa & ~Gpa{kPageOffsetMask}; }
  static unsigned index(Gpa gpa) { return (gpa >> kPageShift) % kSlots; }
  Page slots_[kSlots];
};

}  // namespace ringshift::bt
