// Memory slots from page kinds.
#include "hw-accel-kvm/memory_layout.h"

#include <gtest/gtest.h>

namespace ringshift {
namespace {

class MemoryLayout : public ::testing::Test {
 protected:
  static constexpr u64 kMiB = u64{1} << 20;
  GuestMemory memory_ = GuestMemory::create(4 * kMiB).value();
  PhysicalMap map_{memory_};
};

TEST_F(MemoryLayout, HolesAndRomMakeSlots) {
  map_.set_kind(0xf0000, 16, PageKind::rom);
  const std::vector<MemorySlot> wanted{
      {0, 0xa0000, memory_.base(), false, false},
      {0xc0000, 0x30000, memory_.base() + 0xc0000, false, false},
      {0xf0000, 0x10000, memory_.base() + 0xf0000, true, false},
      {kMiB, 3 * kMiB, memory_.base() + kMiB, false, false},
  };
  EXPECT_EQ(memory_layout(map_, false, false), wanted);
}

TEST_F(MemoryLayout, LogIsForWhatCanBeWritten) {
  map_.set_kind(0xf0000, 16, PageKind::rom);
  for (const MemorySlot& slot : memory_layout(map_, false, true)) EXPECT_NE(slot.dirty_log, slot.read_only);
}

TEST_F(MemoryLayout, MaskedA20ShowsEvenMegabytes) {
  const std::vector<MemorySlot> slots = memory_layout(map_, true, false);
  for (Gpa gpa = 0; gpa < 4 * kMiB; gpa += kPageSize) {
    const Gpa shown = gpa & ~kMiB;
    const u8* host = nullptr;
    for (const MemorySlot& slot : slots)
      if (gpa >= slot.gpa && gpa < slot.gpa + slot.length) host = slot.host + (gpa - slot.gpa);
    EXPECT_EQ(host, map_.host(shown)) << std::hex << gpa;
  }
}

}  // namespace
}  // namespace ringshift
