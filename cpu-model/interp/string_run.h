// Runs of string elements that stand in one page and may be reached plainly: the fast path of REP.
#pragma once

#include <algorithm>
#include <cstring>

#include "cpu-model/segmentation.h"

namespace ringshift {

struct StringRun {
  u8* host = nullptr;
  u32 elements = 0;  // 0: the next element takes the slow path
};

// The elements of `size` bytes, upwards from segment:offset, that lie before the end of the page, the segment
// and the address space; none unless the Tlb has the page for plain accesses of this kind.
inline StringRun plain_run(Cpu& cpu, Seg segment, u32 offset, u32 size, u32 wanted, u32 address_mask,
                           AccessKind kind) {
  const Gva gva = static_cast<Gva>(cpu.state.segment(segment).base) + offset;
  const TlbEntry& entry = cpu.tlb.entry(gva, cpu.user());
  const u32 tag = kind == AccessKind::write ? entry.write_tag : entry.read_tag;
  if (tag != (gva & ~kPageOffsetMask)) return {};
  if ((cpu.state.rflags & kFlagAc) != 0) return {};
  const u64 before_wrap = (u64{address_mask} + 1 - offset) / size;
  const u32 in_page = (kPageSize - (gva & kPageOffsetMask)) / size;
  const u32 elements = static_cast<u32>(std::min<u64>({wanted, in_page, before_wrap}));
  if (elements == 0 || !segment_allows(cpu, segment, offset, elements * size, kind)) return {};
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

template <class T>
void fill_elements(u8* to, T value, u32 elements) {
  if constexpr (sizeof(T) == 1) {
    std::memset(to, value, elements);
  } else {
    for (u32 i = 0; i < elements; ++i) std::memcpy(to + i * sizeof(T), &value, sizeof(T));
  }
}

}  // namespace ringshift
