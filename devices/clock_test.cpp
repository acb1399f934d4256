// Clock: order of timers, re-arming, notices of a new deadline, virtual time.
#include <gtest/gtest.h>

#include "devices/test_rig.h"

namespace ringshift {
namespace {

using test::FakeTime;

TEST(Clock, RunsWhatIsDueEarliestFirst) {
  FakeTime time;
  Clock clock(time);
  std::string order;
  Clock::Timer a(clock, [&] { order += 'a'; });
  Clock::Timer b(clock, [&] { order += 'b'; });
  Clock::Timer c(clock, [&] { order += 'c'; });
  a.arm(30);
  b.arm(10);
  c.arm(50);
  EXPECT_EQ(clock.next_deadline(), 10u);
  clock.run_due();
  EXPECT_EQ(order, "");
  time.ns = 40;
  clock.run_due();
  EXPECT_EQ(order, "ba");
  EXPECT_EQ(clock.next_deadline(), 50u);
  c.cancel();
  time.ns = 100;
  clock.run_due();
  EXPECT_EQ(order, "ba");
  EXPECT_EQ(clock.next_deadline(), Clock::kNever);
}

TEST(Clock, TimerThatArmsInThePastDoesNotHang) {
  FakeTime time;
  Clock clock(time);
  int runs = 0;
  Clock::Timer* self = nullptr;
  Clock::Timer timer(clock, [&] {
    ++runs;
    self->arm(1);
  });
  self = &timer;
  timer.arm(1);
  time.ns = 10;
  clock.run_due();
  EXPECT_GE(runs, 1);
  EXPECT_LE(runs, 4);
  EXPECT_EQ(clock.next_deadline(), 1u);
}

TEST(Clock, TellsOfEachNewDeadlineOnce) {
  FakeTime time;
  Clock clock(time);
  std::vector<u64> told;
  Clock::Timer* again = nullptr;
  Clock::Timer periodic(clock, [&] { again->arm(time.ns + 100); });
  again = &periodic;
  Clock::Timer late(clock, [] {});
  clock.on_deadline_change([&](u64 deadline) { told.push_back(deadline); });
  periodic.arm(100);
  late.arm(500);
  late.arm(400);
  EXPECT_EQ(told, (std::vector<u64>{100}));
  time.ns = 100;
  clock.run_due();
  EXPECT_EQ(told, (std::vector<u64>{100, 200}));
  periodic.cancel();
  EXPECT_EQ(told, (std::vector<u64>{100, 200, 400}));
}

TEST(Clock, DestroyedTimerNeverRuns) {
  FakeTime time;
  Clock clock(time);
  int runs = 0;
  {
    Clock::Timer timer(clock, [&] { ++runs; }), other(clock, [] {});
    timer.arm(1);
  }
  time.ns = 5;
  clock.run_due();
  EXPECT_EQ(runs, 0);
  EXPECT_EQ(clock.next_deadline(), Clock::kNever);
}

TEST(Clock, InstructionTimeCountsAndSkips) {
  u64 retired = 0;
  InstructionTime time(retired, 3);
  retired = 100;
  EXPECT_EQ(time.now_ns(), 800u);
  EXPECT_EQ(time.retired_at(801), 101u);
  EXPECT_EQ(time.retired_at(808), 101u);
  EXPECT_EQ(time.retired_at(809), 102u);
  time.skip_to(5000);
  EXPECT_EQ(time.now_ns(), 5000u);
  time.skip_to(4000);
  EXPECT_EQ(time.now_ns(), 5000u);
  EXPECT_EQ(time.retired_at(5008), 101u);
  Clock clock(time);
  EXPECT_EQ(clock.tsc(), 10'000u);
}

}  // namespace
}  // namespace ringshift
