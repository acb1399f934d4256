// Small segments: an LDT that host and engine share: 16-bit code and stacks, bases, limits, expand-down.
//
// Offsets that lie in them lead to the arenas, where limits allow.
#pragma once

#include <array>

#include "tests/differential/flat_machine.h"
#include "tests/differential/random.h"

namespace ringshift::differential {

struct SmallSegment {
  u32 base;
  u32 limit;  // in pages, if in_pages
  bool in_pages;
  bool big;        // D or B
  u8 contents;     // 0 data, 1 expand-down data, 2 code
  bool read_only;  // of code: execute-only
};

constexpr u32 kCodeBase = kArenas[kCode].base, kDataBase = kArenas[kData].base,
              kStackBase = kArenas[kStack].base;

inline constexpr std::array<SmallSegment, 14> kSmallSegments = {{
    {kCodeBase, 0x1fff, false, false, 2, false},
    {kCodeBase, 0x1fff, false, true, 2, false},
    {kCodeBase - 0x4010, 0x4010 + 0x1fff - 0x40, false, false, 2, false},
    {kCodeBase - 0x123, 0xfffff, true, true, 2, false},
    {kCodeBase, 0x1fff, false, false, 2, true},
    {kStackBase, 0x1fff, false, false, 0, false},
    {kStackBase, 0x1fff, false, true, 0, false},
    {kStackBase + 0x2000 - 0x10000, 0xdfff, false, false, 1, false},
    {kStackBase + 0x2000, 0xffffd, true, true, 1, false},
    {kDataBase, 0x3fff, false, false, 0, false},
    {kDataBase, 0x4fff, false, true, 0, true},
    {kDataBase - 0x2004, 0x2004 + 0x2fff, false, true, 0, false},
    {kDataBase - 0x123, 0xfffff, true, true, 0, false},
    {kDataBase - 0xb000, 0xb0ff, false, false, 1, false},
}};

constexpr u16 small_selector(unsigned index) { return static_cast<u16>(index << 3 | 7); }
// Null for the flat and the null selectors.
inline const SmallSegment* small_segment(u16 selector) {
  return (selector & 4) != 0 ? &kSmallSegments[selector >> 3] : nullptr;
}
inline u32 segment_base(u16 selector) {
  const SmallSegment* const segment = small_segment(selector);
  return segment != nullptr ? segment->base : 0;
}
inline bool is_small_width(u16 selector) {
  const SmallSegment* const segment = small_segment(selector);
  return segment != nullptr && !segment->big;
}
// As it stands in an LDT that Linux filled (accessed, DPL 3).
u64 small_descriptor(const SmallSegment& segment);

// Chooses all four, and moves EIP's and the pointers' values to the offsets that they have there.
void draw_segments(Random& random, UserState& state);

}  // namespace ringshift::differential
