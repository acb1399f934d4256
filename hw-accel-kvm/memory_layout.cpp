// From page kinds to memory slots.
#include "hw-accel-kvm/memory_layout.h"

namespace ringshift {

std::vector<MemorySlot> memory_layout(PhysicalMap& map, bool a20_masked, bool dirty_log) {
  constexpr Gpa kBit20 = Gpa{1} << 20;
  std::vector<MemorySlot> slots;
  // The top MiB of RAM may show at an address past RAM's end.
  const u64 end = a20_masked ? align_up(map.memory().size(), 2 * kBit20) : map.memory().size();
  for (Gpa gpa = 0; gpa < end; gpa += kPageSize) {
    const Gpa shown = a20_masked ? gpa & ~kBit20 : gpa;
    u8* const host = map.host(shown);
    if (host == nullptr) continue;
    const bool rom = map.kind(shown) == PageKind::rom;
    if (!slots.empty()) {
      MemorySlot& last = slots.back();
      if (last.gpa + last.length == gpa && last.host + last.length == host && last.read_only == rom) {
        last.length += kPageSize;
        continue;
      }
    }
    // What can't be written needs no log.
    slots.push_back({gpa, kPageSize, host, rom, dirty_log && !rom});
  }
  return slots;
}

}  // namespace ringshift
