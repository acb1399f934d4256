// MachineMemory: machine frames as the monitor itself reads and writes them, with the notices that caches of
// code need.
#pragma once

#include <cstring>

#include "memory/physical_map.h"
#include "paravirt/domain_memory.h"

namespace ringshift::xen {

inline constexpr u32 kEntries = kPageSize / sizeof(u64);  // of a page table or descriptor page

class MachineMemory {
 public:
  explicit MachineMemory(PhysicalMap& map) : map_(map) {}

  PhysicalMap& map() { return map_; }
  u32 frames() const { return static_cast<u32>(map_.memory().size() >> kPageShift); }
  // mfn: of a frame that there is.
  const u8* frame(Mfn mfn) const { return map_.memory().base() + (u64{mfn} << kPageShift); }

  // The same to write to where no notice is needed.
  u8* bytes(Mfn mfn) { return map_.memory().base() + (u64{mfn} << kPageShift); }

  // offset + length <= kPageSize.
  void write(Mfn mfn, u32 offset, const void* data, u32 length) {
    const Gpa at = (u64{mfn} << kPageShift) + offset;
    std::memcpy(map_.memory().base() + at, data, length);
    note(at, length);
  }
  void clear(Mfn mfn) {
    const Gpa at = u64{mfn} << kPageShift;
    std::memset(map_.memory().base() + at, 0, kPageSize);
    note(at, kPageSize);
  }

  // Entries of 8 bytes; index < kEntries.
  u64 entry(Mfn table, u32 index) const {
    return __atomic_load_n(reinterpret_cast<const u64*>(frame(table)) + index, __ATOMIC_RELAXED);
  }
  void set_entry(Mfn table, u32 index, u64 value) {
    const Gpa at = (u64{table} << kPageShift) + index * sizeof(u64);
    __atomic_store_n(reinterpret_cast<u64*>(map_.memory().base() + at), value, __ATOMIC_RELAXED);
    note(at, sizeof value);
  }

 private:
  void note(Gpa at, u32 length) {
    if ((map_.flags(at) & kWriteAttributes) != 0) map_.note_write(at, length);
  }
  PhysicalMap& map_;
};

}  // namespace ringshift::xen
