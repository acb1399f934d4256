// The LDT's descriptors, and which of them a test case uses.
#include "tests/differential/small_segments.h"

namespace ringshift::differential {

u64 small_descriptor(const SmallSegment& segment) {
  const u8 type = static_cast<u8>(segment.contents << 2 | (segment.read_only ? 0 : 1) << 1 | 1);
  const u8 access = static_cast<u8>(0xf0 | type);
  const u8 flags = static_cast<u8>((segment.in_pages ? 8 : 0) | (segment.big ? 4 : 0));
  const u64 base = segment.base;
  const u64 limit = segment.limit;
  return (limit & 0xffff) | (base & 0xffffff) << 16 | u64{access} << 40 | (limit >> 16 & 0xf) << 48 |
         u64{flags} << 52 | base >> 24 << 56;
}

void draw_segments(Random& random, UserState& state) {
  const auto small = [](unsigned index) { return small_selector(index); };
  state.cs = random.pick<u16, 9>(
      {small(0), small(0), small(0), small(2), small(2), small(4), small(1), small(3), kUserCs});
  state.ss = random.pick<u16, 6>({small(5), small(5), small(6), small(7), small(8), kUserDs});
  const auto data = [&] {
    if (random.chance(2)) return u16{0};
    return random.pick<u16, 9>(
        {small(9), small(9), small(10), small(11), small(12), small(13), kUserDs, small(6), small(0)});
  };
  state.ds = data();
  state.es = random.chance(50) ? state.ds : data();
  const u32 junk = is_small_width(state.cs) && random.chance(50) ? random.next32() & 0xffff0000 : 0;
  for (const unsigned reg : {3u, 6u, 7u}) state.gpr[reg] = (state.gpr[reg] - segment_base(state.ds)) ^ junk;
  // [BP] goes through SS.
  state.gpr[5] = (state.gpr[5] & 0xfff) + kStackBase + 0x800 - segment_base(state.ss);
  state.gpr[4] -= segment_base(state.ss);
}

}  // namespace ringshift::differential
