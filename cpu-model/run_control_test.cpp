// RunControl: the quiet word follows the events, whoever raises them.
#include "cpu-model/run_control.h"

#include <gtest/gtest.h>

#include <thread>

namespace ringshift {
namespace {

TEST(QuietWord, IsZeroWhileAnyEventIsThere) {
  RunControl control;
  std::atomic<u32> quiet{7};
  control.raise_event(kEventNmi);
  control.keep_quiet_word(&quiet);
  EXPECT_EQ(quiet, 0u) << "an event came before the word was kept";
  control.raise_event(kEventService);
  control.clear_event(kEventNmi);
  EXPECT_EQ(quiet, 0u);
  control.clear_event(kEventService);
  EXPECT_EQ(quiet, 1u);
  control.raise_event(kEventExit);
  EXPECT_EQ(quiet, 0u);
  control.keep_quiet_word(nullptr);
  control.clear_event(kEventExit);
  EXPECT_EQ(quiet, 0u) << "no longer kept";
}

TEST(QuietWord, NoEventOfAnotherThreadIsOverlooked) {
  constexpr unsigned kRounds = 50000;
  RunControl control;
  std::atomic<u32> quiet{1};
  control.keep_quiet_word(&quiet);
  std::atomic<unsigned> raised{0};
  std::thread other([&] {
    for (unsigned round = 1; round <= kRounds; ++round) {
      control.raise_event(kEventService);
      raised = round;
      while (raised != 0) std::this_thread::yield();
    }
  });
  for (unsigned round = 1; round <= kRounds; ++round) {
    control.raise_event(kEventInspect);
    control.clear_event(kEventInspect);  // races with the other's raise_event()
    while (raised != round) std::this_thread::yield();
    ASSERT_EQ(quiet, 0u) << "in round " << round;
    control.clear_event(kEventService);
    ASSERT_EQ(quiet, 1u) << "in round " << round;
    raised = 0;
  }
  other.join();
}

}  // namespace
}  // namespace ringshift
