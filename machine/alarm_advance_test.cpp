// How the advance follows the host's lateness.
#include "machine/alarm_advance.h"

#include <gtest/gtest.h>

namespace ringshift {
namespace {

// Deadlines of a millisecond at a host that is so late.
void run(AlarmAdvance& advance, i64 lateness, int deadlines) {
  constexpr i64 kDelta = 1'000'000;
  for (int i = 0; i < deadlines; ++i)
    advance.woken(static_cast<i64>(advance.wake_after(kDelta)) + lateness - kDelta);
}

TEST(AlarmAdvance, FollowsTheLateness) {
  AlarmAdvance advance;
  EXPECT_EQ(advance.wake_after(1'000'000), 1'000'000u);
  run(advance, 11'000, 100);
  EXPECT_NEAR(static_cast<double>(advance.ns()), 11'000, 100);
  run(advance, 3'000, 100);
  EXPECT_NEAR(static_cast<double>(advance.ns()), 3'000, 100);
}

TEST(AlarmAdvance, HasALimit) {
  AlarmAdvance advance;
  run(advance, 60'000, 100);
  EXPECT_EQ(advance.ns(), AlarmAdvance::kMostNs);
  run(advance, 0, 200);
  EXPECT_LT(advance.ns(), 10u);
}

TEST(AlarmAdvance, AThreadThatDidNotRunSaysNothing) {
  AlarmAdvance advance;
  run(advance, 10'000, 100);
  const u64 before = advance.ns();
  advance.woken(5'000'000);
  advance.woken(-100'000);
  EXPECT_EQ(advance.ns(), before);
}

TEST(AlarmAdvance, ShortDeadlinesAreLeftAlone) {
  AlarmAdvance advance;
  run(advance, 10'000, 100);
  EXPECT_EQ(advance.wake_after(12'000), 12'000u);
}

}  // namespace
}  // namespace ringshift
