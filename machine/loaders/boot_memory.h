// BootMemory: guest RAM as the loaders fill it, and the memory map that they tell the guest.
#pragma once

#include <span>
#include <vector>

#include "machine/loaders/input_file.h"
#include "memory/physical_map.h"

namespace ringshift {

// One range of the memory map, as INT 15h E820h reports it (ACPI 6.4, 15.1).
struct MemoryRange {
  static constexpr u32 kUsable = 1;
  static constexpr u32 kReserved = 2;
  Gpa base;
  u64 length;
  u32 type;
};

inline constexpr Gpa kConventionalEnd = 0x9fc00;  // below it: 639 KiB of usable RAM; above: the EBDA
inline constexpr Gpa kVgaWindow = 0xa0000;
inline constexpr Gpa kFirmwareStart = 0xf0000;  // ACPI and MP tables
inline constexpr Gpa kHighMemory = 0x100000;
// The loaders' own small structures (descriptor table, boot information) stand here; a kernel that wants
// these addresses for itself is refused.
inline constexpr Gpa kLoaderArea = 0x90000;
inline constexpr u64 kLoaderAreaSize = 0x8000;

// The map of a board with this much RAM.
std::vector<MemoryRange> memory_ranges(u64 ram);

class BootMemory {
 public:
  explicit BootMemory(PhysicalMap& map) : map_(map) {}

  u64 ram() const { return map_.memory().size(); }
  // Whether [gpa, gpa + length) is RAM that a kernel may be loaded to: conventional memory less the loader
  // area, or memory above 1 MiB.
  bool loadable(Gpa gpa, u64 length) const;
  // Copies length bytes of the file to gpa. The caller has checked that the range is RAM.
  Result<void> load(const InputFile& file, u64 offset, Gpa gpa, u64 length);
  void store(Gpa gpa, std::span<const u8> bytes);
  void zero(Gpa gpa, u64 length);
  template <class T>
  void store_value(Gpa gpa, const T& value) {
    store(gpa, {reinterpret_cast<const u8*>(&value), sizeof value});
  }
  // With a terminating zero.
  void store_string(Gpa gpa, const std::string& text);

 private:
  PhysicalMap& map_;
};

}  // namespace ringshift
