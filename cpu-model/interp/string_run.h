// Runs of string elements that stand in one page and may be reached plainly: the fast path of REP.
#pragma once

#include <algorithm>
#include <cstring>

#include "cpu-model/segmentation.h"

namespace ringshift {

struct StringRun {
  u8* host = nullptr;  // of the element that comes first
  u32 elements = 0;    // 0: the next element takes the slow path
};

// The elements of `size` bytes, upwards or downwards from the one at segment:offset, that lie before the end
// of the page, the segment and the address space; none unless the Tlb has the page for plain accesses of this
// kind.
inline StringRun plain_run(Cpu& cpu, Seg segment, u32 offset, u32 size, u32 wanted, u32 address_mask,
                           AccessKind kind, bool downward) {
  const Gva gva = static_cast<Gva>(cpu.state.segment(segment).base) + offset;
  const TlbEntry& entry = cpu.tlb.entry(gva, cpu.user());
  const u32 tag = kind == AccessKind::write ? entry.write_tag : entry.read_tag;
  if (tag != (gva & ~kPageOffsetMask)) return {};
  if ((cpu.state.rflags & kFlagAc) != 0) return {};
  const u32 page_offset = gva & kPageOffsetMask;
  u64 before_wrap = (u64{address_mask} + 1 - offset) / size;
  u32 in_page = (kPageSize - page_offset) / size;
  if (downward && before_wrap != 0) before_wrap = u64{offset} / size + 1;
  if (downward && in_page != 0) in_page = page_offset / size + 1;
  const u32 elements = static_cast<u32>(std::min<u64>({wanted, in_page, before_wrap}));
  if (elements == 0) return {};
  const u32 lowest = downward ? offset - (elements - 1) * size : offset;
  if (!segment_allows(cpu, segment, lowest, elements * size, kind)) return {};
  return {reinterpret_cast<u8*>(entry.addend + gva), elements};
}

template <class T>
T load_element(const u8* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

// As MOVS does it, element by element upwards: a destination that begins inside the source repeats it.
template <class T>
void copy_elements(u8* to, const u8* from, u32 elements) {
  const u32 bytes = elements * sizeof(T);
  if (to <= from || to >= from + bytes) {
    std::memmove(to, from, bytes);
    return;
  }
  // An element may overlap itself, so that it must be read whole before it is written.
  for (u32 i = 0; i < bytes; i += sizeof(T)) {
    const T value = load_element<T>(from + i);
    std::memcpy(to + i, &value, sizeof value);
  }
}

// The same downwards, from the highest element of each: a destination that ends inside the source repeats it.
template <class T>
void copy_elements_down(u8* to, const u8* from, u32 elements) {
  const u32 below = (elements - 1) * sizeof(T);
  if (to >= from || to + sizeof(T) <= from - below) {
    std::memmove(to - below, from - below, below + sizeof(T));
    return;
  }
  for (u32 i = 0; i < elements; ++i) {
    const T value = load_element<T>(from - i * sizeof(T));
    std::memcpy(to - i * sizeof(T), &value, sizeof value);
  }
}

// Upwards, of one or more; each copy doubles what is filled.
template <class T>
void fill_elements(u8* to, T value, u32 elements) {
  const u32 bytes = elements * sizeof(T);
  std::memcpy(to, &value, sizeof value);
  for (u32 filled = sizeof(T); filled < bytes; filled *= 2)
    std::memcpy(to + filled, to, std::min(filled, bytes - filled));
}

}  // namespace ringshift
