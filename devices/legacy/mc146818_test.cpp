// The RTC: reading and setting time, update in progress, interrupts, CMOS memory sizes.
#include <gtest/gtest.h>

#include "devices/legacy/calendar.h"
#include "devices/legacy/mc146818.h"
#include "devices/test_rig.h"

namespace ringshift {
namespace {

constexpr i64 kStart = 1'700'000'000;  // 2023-11-14 22:13:20 UTC, a Tuesday
constexpr u64 kSecond = 1'000'000'000;

struct Rtc : testing::Test {
  Rtc() { EXPECT_TRUE(rtc.attach(bus)); }
  u8 get(u8 index) {
    bus.write(0x70, 1, index);
    return static_cast<u8>(bus.read(0x71, 1));
  }
  void set(u8 index, u8 value) {
    bus.write(0x70, 1, index | 0x80u);  // with the NMI mask bit
    bus.write(0x71, 1, value);
  }
  void run_to(u64 ns) { test::run_until(clock, time, ns); }

  test::FakeTime time;
  Clock clock{time};
  IoBus bus;
  test::Wire irq;
  Mc146818 rtc{clock, irq.line(), kStart};
};

TEST(Calendar, AgreesWithItself) {
  for (i64 day = 0; day < 365 * 200; ++day) {
    const CivilTime t = civil_time(day * 86'400 + 3661);
    ASSERT_EQ(seconds_since_1970(t), day * 86'400 + 3661);
    ASSERT_LE(t.day, 31u);
    ASSERT_EQ(t.hour, 1u);
  }
}

TEST_F(Rtc, TellsTheTime) {
  EXPECT_EQ(get(0), 0x20);
  EXPECT_EQ(get(2), 0x13);
  EXPECT_EQ(get(4), 0x22);
  EXPECT_EQ(get(6), 3);
  EXPECT_EQ(get(7), 0x14);
  EXPECT_EQ(get(8), 0x11);
  EXPECT_EQ(get(9), 0x23);
  EXPECT_EQ(get(0x32), 0x20);
  EXPECT_EQ(get(0xd), 0x80);
  run_to(45 * kSecond);
  EXPECT_EQ(get(0), 0x05);
  EXPECT_EQ(get(2), 0x14);
}

TEST_F(Rtc, UpdateInProgressBeforeASecondEnds) {
  EXPECT_EQ(get(0xa), 0x26);
  run_to(kSecond - 100'000);
  EXPECT_EQ(get(0xa), 0xa6);
  run_to(kSecond + 1);
  EXPECT_EQ(get(0xa), 0x26);
}

// As mc146818_set_time of Linux.
TEST_F(Rtc, SetsTheTime) {
  const u8 b = get(0xb);
  set(0xb, b | 0x80);
  const u8 a = get(0xa);
  set(0xa, a | 0x70);
  set(9, 0x99);
  set(8, 0x12);
  set(7, 0x31);
  set(4, 0x23);
  set(2, 0x59);
  set(0, 0x58);
  set(0x32, 0x19);
  run_to(3 * kSecond);  // held meanwhile
  EXPECT_EQ(get(0), 0x58);
  set(0xb, b);
  set(0xa, a);
  EXPECT_EQ(get(0), 0x58);
  run_to(time.ns + kSecond / 2 + 1);
  EXPECT_EQ(get(0), 0x59);
  run_to(time.ns + kSecond);
  EXPECT_EQ(get(0), 0x00);
  EXPECT_EQ(get(9), 0x00);
  EXPECT_EQ(get(0x32), 0x20);
  EXPECT_EQ(get(7), 0x01);
  EXPECT_EQ(get(6), 7);  // 2000-01-01 was a Saturday
}

TEST_F(Rtc, BinaryAndTwelveHours) {
  set(0xb, 0x06);
  EXPECT_EQ(get(4), 22);
  EXPECT_EQ(get(9), 23);
  set(0xb, 0x00);
  EXPECT_EQ(get(4), 0x90);  // 10 p.m.
  set(4, 0x12);             // 12 a.m.
  set(0xb, 0x02);
  EXPECT_EQ(get(4), 0x00);
}

TEST_F(Rtc, PeriodicInterrupt) {
  set(0xa, 0x26);  // 1,024 Hz
  set(0xb, 0x42);
  irq.edges = 0;
  int taken = 0;
  while (clock.next_deadline() <= kSecond + 1) {
    run_to(clock.next_deadline());
    ASSERT_TRUE(irq.level);
    EXPECT_EQ(get(0xc) & 0xc0, 0xc0);
    ASSERT_FALSE(irq.level);
    ++taken;
  }
  EXPECT_EQ(taken, 1024);
  set(0xb, 0x02);
  EXPECT_EQ(clock.next_deadline(), Clock::kNever);
}

// An event that comes while register C is read is a new request: an edge, or else no other would ever follow.
TEST_F(Rtc, EventDuringTheReadOfFlagsIsANewEdge) {
  set(0xa, 0x26);
  set(0xb, 0x42);
  run_to(clock.next_deadline());
  time.step = 600'000;
  int during_reads = 0;
  for (int i = 0; i < 20; ++i) {
    const bool stood = irq.level;
    const int edges = irq.edges;
    get(0xc);
    if (!stood || !irq.level) continue;
    ++during_reads;
    EXPECT_EQ(irq.edges, edges + 1);
  }
  EXPECT_GT(during_reads, 0);
}

TEST_F(Rtc, UnreadRequestCostsNothing) {
  set(0xa, 0x21);
  set(0xb, 0x42);
  run_to(clock.next_deadline());
  EXPECT_TRUE(irq.level);
  EXPECT_EQ(clock.next_deadline(), Clock::kNever);
  time.ns += 10 * kSecond;
  EXPECT_EQ(get(0xc), 0xd0);
  EXPECT_NE(clock.next_deadline(), Clock::kNever);
}

TEST_F(Rtc, UpdateEndedInterrupt) {
  set(0xb, 0x12);
  run_to(kSecond - 1);
  EXPECT_FALSE(irq.level);
  run_to(kSecond);
  EXPECT_TRUE(irq.level);
  EXPECT_EQ(get(0xc) & 0x90, 0x90);
  EXPECT_FALSE(irq.level);
}

TEST_F(Rtc, AlarmWithAndWithoutWildcards) {
  set(1, 0x25);
  set(3, 0x13);
  set(5, 0x22);
  get(0xc);
  set(0xb, 0x22);
  run_to(5 * kSecond - 1);
  EXPECT_FALSE(irq.level);
  run_to(5 * kSecond);
  EXPECT_TRUE(irq.level);
  EXPECT_EQ(get(0xc) & 0xa0, 0xa0);
  set(3, 0xff);
  set(5, 0xc0);
  run_to(65 * kSecond - 1);
  EXPECT_FALSE(irq.level);
  run_to(65 * kSecond);
  EXPECT_TRUE(irq.level);
}

TEST_F(Rtc, FlagsCanBePolled) {
  get(0xc);
  run_to(kSecond / 2);
  EXPECT_EQ(get(0xc), 0x40);
  run_to(kSecond + 1);
  EXPECT_EQ(get(0xc), 0x50);
  EXPECT_FALSE(irq.level);
}

TEST_F(Rtc, MemorySizes) {
  rtc.set_memory_size(u64{256} << 20);
  EXPECT_EQ(get(0x15) | get(0x16) << 8, 640);
  EXPECT_EQ(get(0x17) | get(0x18) << 8, 0xffff);
  EXPECT_EQ(get(0x30) | get(0x31) << 8, 0xffff);
  EXPECT_EQ(get(0x34) | get(0x35) << 8, 240 * 16);
  rtc.set_memory_size(u64{48} << 20);
  EXPECT_EQ(get(0x17) | get(0x18) << 8, 47 * 1024);
  u16 sum = 0;
  for (u8 i = 0x10; i <= 0x2d; ++i) sum = static_cast<u16>(sum + get(i));
  EXPECT_EQ(get(0x2e) << 8 | get(0x2f), sum);
}

TEST_F(Rtc, ResetKeepsTimeAndMemory) {
  set(0x50, 0x77);
  set(0xb, 0x72);
  run_to(2 * kSecond);
  EXPECT_TRUE(irq.level);
  rtc.reset();
  EXPECT_FALSE(irq.level);
  EXPECT_EQ(get(0xb), 0x02);
  EXPECT_EQ(get(0x50), 0x77);
  EXPECT_EQ(get(0), 0x22);
}

TEST_F(Rtc, SaveAndRestore) {
  set(0xb, 0x12);
  set(0x40, 0x33);
  run_to(kSecond / 3);
  test::Wire other_irq;
  Mc146818 other(clock, other_irq.line(), 0);
  test::expect_copy(rtc, other);
  run_to(kSecond);
  EXPECT_TRUE(other_irq.level);
}

TEST_F(Rtc, AnyBytesAnywhereAreHarmless) {
  u32 seed = 9;
  const auto next = [&] { return (seed = seed * 1664525 + 1013904223) >> 8; };
  for (int i = 0; i < 100'000; ++i) {
    const u8 index = static_cast<u8>(next() % 2 == 0 ? next() % 16 : next());
    if (next() % 2 == 0)
      set(index, static_cast<u8>(next()));
    else
      get(index);
    time.ns += u64{next()} * 100;
    clock.run_due();
  }
}

}  // namespace
}  // namespace ringshift
