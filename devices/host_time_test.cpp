// HostTime: before and after it reads the TSC, against CLOCK_MONOTONIC.
#include "devices/host_time.h"

#include <gtest/gtest.h>
#include <x86intrin.h>

#include "base/host_clock.h"

namespace ringshift {
namespace {

TEST(HostTime, Advances) {
  HostTime host;
  for (int follows = 0; follows < 2; ++follows) {
    const u64 first = host.now_ns();
    EXPECT_LT(first, 10'000'000'000u);
    u64 later = host.now_ns();
    for (int i = 0; i < 1'000'000 && later == first; ++i) later = host.now_ns();
    EXPECT_GT(later, first);
    host.follow();
  }
}

// The scale, the Clock's two faces and the host's clock tell the same time, through corrections.
TEST(HostTime, FollowsTheHostAndNeverGoesBack) {
  HostTime host;
  const u64 start = host_clock_ns() - host.now_ns();
  Clock clock(host);
  host.follow();
  if (host.tsc_scale() == nullptr) GTEST_SKIP() << "this host's TSC isn't constant";
  u64 last = 0;
  for (const u64 end = host_clock_ns() + 60'000'000; host_clock_ns() < end;) {
    clock.follow();
    const u64 ns = clock.now_ns();
    const u64 scaled = host.tsc_scale()->at(__rdtsc());
    const u64 tsc = clock.tsc();
    EXPECT_GE(ns, last);
    EXPECT_GE(scaled, ns * 2);
    EXPECT_GE(tsc, scaled);
    last = tsc / 2;
  }
  // The thread may lose the CPU between two readings: a close pair among many is what counts.
  u64 least = ~u64{0};
  for (int i = 0; i < 10'000; ++i) {
    const u64 before = host_clock_ns() - start;
    const u64 shown = clock.now_ns();
    const u64 after = host_clock_ns() - start;
    least = std::min(least, shown < before ? before - shown : shown > after ? shown - after : 0);
  }
  EXPECT_LT(least, 20'000u);
}

TEST(TscScale, IsLinearOnBothSidesOfItsBase) {
  const TscScale scale{1000, 5000, u64{3} << 31};  // 1.5 guest counts a host count
  EXPECT_EQ(scale.at(1000), 5000u);
  EXPECT_EQ(scale.at(1100), 5150u);
  EXPECT_EQ(scale.at(998), 4997u);
}

// Stopped and continued: no time passes in between, by any reader, and it goes on at the host's rate.
TEST(HostTime, StandsStillWhilePaused) {
  for (const bool follow_first : {false, true}) {
    HostTime host;
    Clock clock(host);
    if (follow_first) clock.follow();
    for (int i = 0; i < 3; ++i) {
      const u64 before = clock.now_ns();
      clock.pause();
      const u64 stopped = clock.now_ns();
      const u64 stopped_tsc = clock.tsc();
      EXPECT_GE(stopped, before);
      EXPECT_LT(stopped, before + 50'000'000);
      for (const u64 end = host_clock_ns() + 60'000'000; host_clock_ns() < end;) clock.follow();
      EXPECT_EQ(clock.now_ns(), stopped);
      EXPECT_EQ(clock.tsc(), stopped_tsc);
      clock.resume();
      const u64 host_before = host_clock_ns();
      const u64 continued = clock.now_ns();
      EXPECT_GE(continued, stopped);
      EXPECT_LT(continued, stopped + 50'000'000);
      u64 last = continued;
      while (host_clock_ns() < host_before + 20'000'000) {
        clock.follow();
        const u64 now = clock.now_ns();
        EXPECT_GE(now, last);
        last = now;
      }
      const u64 passed = clock.now_ns() - continued;
      const u64 host_passed = host_clock_ns() - host_before;
      EXPECT_GE(passed + 1'000'000, 20'000'000u);
      EXPECT_LE(passed, host_passed + 1'000'000);
    }
  }
}

}  // namespace
}  // namespace ringshift
