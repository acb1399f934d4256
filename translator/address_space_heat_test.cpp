// Which address spaces get windows, and lose them.
#include "translator/address_space_heat.h"

#include <gtest/gtest.h>

namespace ringshift::bt {
namespace {

constexpr u32 kCr3 = 0x1000, kOther = 0x2000;

class Heat : public ::testing::Test {
 protected:
  // A tick of 4 ms, in which so many pages were compared.
  bool tick(u64 compared = 0, u32 cr3 = kCr3) {
    cost_.now_ns += 4'000'000;
    cost_.compared += compared;
    return heat_.touch(cr3, cost_);
  }
  // So many fills; whether it stays hot.
  bool fill(unsigned count) {
    bool hot = true;
    for (unsigned i = 0; i < count; ++i) hot = heat_.filled(kCr3) && hot;
    return hot;
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

// Without waiting for a tick: processes that come and go may see none (a fork and a wait took four times as
// long once, where an earlier process had made their CR3 hot).
TEST_F(Heat, GoesWithManyFillsAndComesAgain) {
  tick();
  tick();
  EXPECT_FALSE(fill(100));
  EXPECT_FALSE(heat_.hot(kCr3));
  EXPECT_FALSE(tick());
  EXPECT_TRUE(tick());
}

TEST_F(Heat, StaysWithSomeFillsATick) {
  tick();
  tick();
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(fill(50));
    EXPECT_TRUE(tick());
  }
}

// 4,000 pages at each of 100 context switches in 4 ms are compared 1.2 ms long.
TEST_F(Heat, GoesForLongWithMuchComparing) {
  tick();
  tick();
  EXPECT_TRUE(tick(100'000));
  EXPECT_FALSE(tick(400'000));
  for (int i = 0; i < 60; ++i) ASSERT_FALSE(tick());
  for (int i = 0; i < 10; ++i) tick();
  EXPECT_TRUE(heat_.hot(kCr3));
}

TEST_F(Heat, AnotherWindowsCountIsNoCost) {
  tick(1'000'000);
  tick();
  cost_.compared = 10;
  EXPECT_TRUE(tick());
}

}  // namespace
}  // namespace ringshift::bt
