// Copying and comparing of two guests' RAM.
#include "memory/ram_difference.h"

#include <gtest/gtest.h>

namespace ringshift {
namespace {

constexpr u64 kSize = u64{64} << 20;

class RamDifference : public ::testing::Test {
 protected:
  std::optional<Gpa> difference() {
    for (const RamRange& range : ranges_held(left_, right_))
      if (const auto at = difference_in(left_, right_, range)) return at;
    return std::nullopt;
  }
  GuestMemory left_ = GuestMemory::create(kSize).value();
  GuestMemory right_ = GuestMemory::create(kSize).value();
};

TEST_F(RamDifference, HolesAreNotRead) {
  left_.base()[0x5000] = 1;
  right_.base()[kSize - 1] = 1;
  EXPECT_EQ(bytes_in(ranges_held(left_, right_)), 2 * kPageSize);
}

TEST_F(RamDifference, AByteOfEitherIsFound) {
  EXPECT_EQ(difference(), std::nullopt);
  right_.base()[0x1234567] = 1;
  EXPECT_EQ(difference(), Gpa{0x1234567});
  left_.base()[0x1234000] = 1;
  EXPECT_EQ(difference(), Gpa{0x1234000});
  right_.base()[0x1234000] = 1;
  left_.base()[0x1234567] = 1;
  EXPECT_EQ(difference(), std::nullopt);
}

TEST_F(RamDifference, ACopyClearsWhatTheSourceHasNot) {
  left_.base()[0x3000] = 7;
  right_.base()[0x900000] = 8;
  copy_ram(left_, right_);
  EXPECT_EQ(difference(), std::nullopt);
  EXPECT_EQ(right_.base()[0x3000], 7);
  EXPECT_EQ(right_.base()[0x900000], 0);
}

TEST_F(RamDifference, RangesThatTouchAreJoined) {
  left_.base()[0x1000] = right_.base()[0x2000] = left_.base()[0x3000] = right_.base()[0x3000] = 1;
  const auto ranges = ranges_held(left_, right_);
  ASSERT_EQ(ranges.size(), 1u);
  EXPECT_EQ(ranges[0].first, 0x1000u);
  EXPECT_EQ(ranges[0].end, 0x4000u);
}

}  // namespace
}  // namespace ringshift
