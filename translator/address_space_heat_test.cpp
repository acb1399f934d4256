// Which address spaces get windows, and lose them.
#include "translator/address_space_heat.h"

#include <gtest/gtest.h>

namespace ringshift::bt {
namespace {

constexpr u32 kCr3 = 0x1000, kOther = 0x2000;

class Heat : public ::testing::Test {
 protected:
  // A tick of 4 ms, in which this much was filled and compared.
  bool tick(u64 fills = 0, u64 compared = 0, u32 cr3 = kCr3) {
    cost_.now_ns += 4'000'000;
    cost_.fills += fills;
    cost_.compared += compared;
    return heat_.touch(cr3, cost_);
  }
  AddressSpaceHeat heat_;
  AddressSpaceHeat::Cost cost_;
};

TEST_F(Heat, ComesWithTheSecondTick) {
  EXPECT_FALSE(tick());
  EXPECT_FALSE(heat_.hot(kCr3));
  EXPECT_TRUE(tick());
  EXPECT_TRUE(heat_.hot(kCr3));
  EXPECT_FALSE(heat_.hot(kOther));
}

TEST_F(Heat, GoesWithManyFillsAndComesAgain) {
  tick();
  tick();
  EXPECT_FALSE(tick(1000));
  EXPECT_FALSE(tick());
  EXPECT_TRUE(tick());
}

// 4,000 pages at each of 100 context switches in 4 ms are compared 1.2 ms long.
TEST_F(Heat, GoesForLongWithMuchComparing) {
  tick();
  tick();
  EXPECT_TRUE(tick(0, 100'000));
  EXPECT_FALSE(tick(0, 400'000));
  for (int i = 0; i < 60; ++i) ASSERT_FALSE(tick());
  for (int i = 0; i < 10; ++i) tick();
  EXPECT_TRUE(heat_.hot(kCr3));
}

TEST_F(Heat, AnotherWindowsCountIsNoCost) {
  tick(0, 1'000'000);
  tick();
  cost_.compared = 10;
  EXPECT_TRUE(tick());
}

}  // namespace
}  // namespace ringshift::bt
