// Filling guest RAM at boot.
#include "machine/loaders/boot_memory.h"

#include <cstring>

namespace ringshift {

std::vector<MemoryRange> memory_ranges(u64 ram) {
  std::vector<MemoryRange> ranges;
  ranges.push_back({0, kConventionalEnd, MemoryRange::kUsable});
  ranges.push_back({kConventionalEnd, kVgaWindow - kConventionalEnd, MemoryRange::kReserved});
  ranges.push_back({kFirmwareStart, kHighMemory - kFirmwareStart, MemoryRange::kReserved});
  if (ram > kHighMemory) ranges.push_back({kHighMemory, ram - kHighMemory, MemoryRange::kUsable});
  return ranges;
}

bool BootMemory::loadable(Gpa gpa, u64 length) const {
  if (!map_.memory().contains(gpa, length)) return false;
  const Gpa end = gpa + length;
  if (gpa >= kHighMemory) return true;
  return end <= kLoaderArea || (gpa >= kLoaderArea + kLoaderAreaSize && end <= kConventionalEnd);
}

Result<void> BootMemory::load(const InputFile& file, u64 offset, Gpa gpa, u64 length) {
  RS_CHECK(length == 0 || map_.memory().contains(gpa, length));
  return file.copy_to(map_.memory().fd(), gpa, offset, length);
}

void BootMemory::store(Gpa gpa, std::span<const u8> bytes) {
  RS_CHECK(map_.memory().contains(gpa, bytes.size()));
  std::memcpy(map_.memory().base() + gpa, bytes.data(), bytes.size());
}

void BootMemory::zero(Gpa gpa, u64 length) {
  RS_CHECK(length == 0 || map_.memory().contains(gpa, length));
  std::memset(map_.memory().base() + gpa, 0, length);
}

void BootMemory::store_string(Gpa gpa, const std::string& text) {
  store(gpa, {reinterpret_cast<const u8*>(text.c_str()), text.size() + 1});
}

}  // namespace ringshift
