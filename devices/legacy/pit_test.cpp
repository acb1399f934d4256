// The 8254 and port 61h: modes, latches, Linux's calibrations, the highest rate.
#include <gtest/gtest.h>

#include "devices/legacy/i8254.h"
#include "devices/legacy/port61.h"
#include "devices/test_rig.h"

namespace ringshift {
namespace {

struct Pit : testing::Test {
  Pit() {
    EXPECT_TRUE(pit.attach(bus));
    EXPECT_TRUE(port61.attach(bus));
  }
  void out(u16 port, u8 value) { bus.write(port, 1, value); }
  u8 in(u16 port) { return static_cast<u8>(bus.read(port, 1)); }
  u16 in16(u16 port) {
    const u8 low = in(port);
    return static_cast<u16>(low | in(port) << 8);
  }
  void at_tick(u64 tick) { test::run_until(clock, time, PitCounter::ns_of(tick)); }
  u16 latched(unsigned counter) {
    out(0x43, static_cast<u8>(counter << 6));
    return in16(static_cast<u16>(0x40 + counter));
  }

  test::FakeTime time;
  Clock clock{time};
  IoBus bus;
  test::Wire irq;
  I8254 pit{clock, irq.line()};
  Port61 port61{clock, pit};
};

TEST(PitCounter, TicksAndTimesAgree) {
  for (u64 tick = 0; tick < 3'000'000; tick += 977) {
    EXPECT_EQ(PitCounter::ticks_at(PitCounter::ns_of(tick)), tick);
    if (tick > 0) {
      EXPECT_EQ(PitCounter::ticks_at(PitCounter::ns_of(tick) - 1), tick - 1);
    }
  }
}

TEST_F(Pit, RateGeneratorInterruptsEachPeriod) {
  out(0x43, 0x34);
  out(0x40, 0xa9);  // 1193, about 1 kHz
  out(0x40, 0x04);
  const u64 period = 0x04a9;
  irq.edges = 0;
  at_tick(period * 1000 + 5);
  EXPECT_EQ(irq.edges, 1000);
  EXPECT_EQ(latched(0), period - 5);
}

TEST_F(Pit, CountsDownAndLatches) {
  out(0x43, 0x34);
  out(0x40, 0x00);
  out(0x40, 0x00);
  at_tick(0x1234);
  out(0x43, 0x00);
  at_tick(0x2000);
  EXPECT_EQ(in16(0x40), 0x10000 - 0x1234);
  EXPECT_EQ(in16(0x40), 0x10000 - 0x2000);
  out(0x43, 0xc2);  // read-back: count and status of counter 0
  EXPECT_EQ(in(0x40), 0xb4);
  EXPECT_EQ(in16(0x40), 0x10000 - 0x2000);
}

TEST_F(Pit, ReadBackLatchesSeveral) {
  out(0x43, 0x34);
  out(0x40, 0x10);
  out(0x40, 0x27);
  out(0x43, 0xb0);
  out(0x42, 0x20);
  out(0x42, 0x4e);
  at_tick(100);
  out(0x43, 0xda);  // counts of 0 and 2
  at_tick(200);
  EXPECT_EQ(in16(0x40), 10000 - 100);
  EXPECT_EQ(in16(0x42), 20000);  // the gate is closed
}

TEST_F(Pit, OneShotModes) {
  out(0x43, 0x30);  // mode 0
  EXPECT_FALSE(irq.level);
  out(0x40, 0xe8);
  out(0x40, 0x03);
  at_tick(999);
  EXPECT_FALSE(irq.level);
  at_tick(1000);
  EXPECT_TRUE(irq.level);
  at_tick(1010);
  EXPECT_EQ(latched(0), 0xfff6);
  EXPECT_EQ(clock.next_deadline(), Clock::kNever);
  out(0x43, 0x38);  // mode 4, as Linux's one-shot clock event
  const int before = irq.edges;
  out(0x40, 0x64);
  out(0x40, 0x00);
  at_tick(1200);
  EXPECT_EQ(irq.edges, before + 1);
}

// pit_hpet_ptimer_calibrate_cpu in Linux: mode 0 on counter 2, wait for OUT in port 61h.
TEST_F(Pit, LinuxCalibratesThroughPort61) {
  time.step = 900;
  out(0x61, static_cast<u8>((in(0x61) & ~2) | 1));
  out(0x43, 0xb0);
  const u16 latch = 1193182 / 100;
  out(0x42, latch & 0xff);
  out(0x42, latch >> 8);
  const u64 start = time.ns;
  int polls = 0;
  while ((in(0x61) & 0x20) == 0) ASSERT_LT(++polls, 100'000);
  const double ms = static_cast<double>(time.ns - start) / 1e6;
  EXPECT_NEAR(ms, 10.0, 0.02);
}

// quick_pit_calibrate: the MSB of counter 2 in mode 0 steps down each 256 ticks.
TEST_F(Pit, LinuxQuickCalibration) {
  time.step = 700;
  out(0x61, static_cast<u8>((in(0x61) & ~2) | 1));
  out(0x43, 0xb0);
  out(0x42, 0xff);
  out(0x42, 0xff);
  in16(0x42);
  u64 first = 0;
  for (int msb = 0xff; msb > 0xff - 60; --msb) {
    int polls = 0;
    while (in16(0x42) >> 8 == msb) ASSERT_LT(++polls, 1000);
    EXPECT_GT(polls, 5);
    if (msb == 0xff) first = time.ns;
  }
  EXPECT_NEAR(static_cast<double>(time.ns - first), 59 * 256 * 1e9 / PitCounter::kHz, 3000);
}

TEST_F(Pit, GateHoldsAndTriggers) {
  out(0x61, 0x01);
  out(0x43, 0xb0);
  out(0x42, 0x10);
  out(0x42, 0x27);
  at_tick(1000);
  out(0x61, 0x00);
  at_tick(5000);
  EXPECT_EQ(latched(2), 10000 - 1000);
  out(0x61, 0x01);
  at_tick(6000);
  EXPECT_EQ(latched(2), 10000 - 2000);
  out(0x61, 0x00);
  out(0x43, 0xb2);  // mode 1: one-shot by the gate
  out(0x42, 0x64);
  out(0x42, 0x00);
  EXPECT_EQ(in(0x61) & 0x20, 0x20);
  out(0x61, 0x01);
  EXPECT_EQ(in(0x61) & 0x20, 0);
  at_tick(6101);
  EXPECT_EQ(in(0x61) & 0x20, 0x20);
}

TEST_F(Pit, SquareWave) {
  out(0x61, 0x03);
  out(0x43, 0xb6);
  out(0x42, 0x64);
  out(0x42, 0x00);
  at_tick(49);
  EXPECT_EQ(in(0x61) & 0x23, 0x23);
  EXPECT_EQ(latched(2), 2);
  at_tick(51);
  EXPECT_EQ(in(0x61) & 0x23, 0x03);
  EXPECT_EQ(latched(2), 98);
  at_tick(101);
  EXPECT_EQ(in(0x61) & 0x23, 0x23);
}

TEST_F(Pit, NewCountWaitsForTheEndOfThePeriod) {
  out(0x43, 0x34);
  out(0x40, 0xe8);
  out(0x40, 0x03);
  at_tick(2300);
  irq.edges = 0;
  out(0x40, 0x64);
  out(0x40, 0x00);
  EXPECT_EQ(latched(0), 700);
  at_tick(2999);
  EXPECT_EQ(irq.edges, 0);
  at_tick(3050);
  EXPECT_EQ(irq.edges, 1);
  EXPECT_EQ(latched(0), 50);
}

TEST_F(Pit, BcdAndSingleByteAccess) {
  out(0x43, 0x31);  // counter 0, mode 0, BCD
  out(0x40, 0x00);
  out(0x40, 0x10);  // 1000
  at_tick(1);
  EXPECT_EQ(latched(0), 0x0999);
  out(0x43, 0x20);  // high byte only
  out(0x40, 0x12);
  EXPECT_EQ(in(0x40), 0x12);
  out(0x43, 0x10);  // low byte only
  out(0x40, 0x34);
  EXPECT_EQ(in(0x40), 0x34);
  EXPECT_EQ(in(0x40), 0x34);
}

TEST_F(Pit, HighestRateIsBoundedAndCoalesced) {
  out(0x43, 0x34);
  out(0x40, 0x01);
  out(0x40, 0x00);
  irq.edges = 0;
  test::run_until(clock, time, 100'000'000);
  EXPECT_LE(irq.edges, 4001);
  EXPECT_GE(irq.edges, 3000);
  // The monitor was away for a second: one interrupt makes up for all.
  irq.edges = 0;
  time.ns += 1'000'000'000;
  clock.run_due();
  EXPECT_EQ(irq.edges, 1);
  EXPECT_GT(clock.next_deadline(), time.ns);
}

TEST_F(Pit, OneMissedTickIsMadeUpFor) {
  out(0x43, 0x34);
  out(0x40, 0xa4);
  out(0x40, 0x2e);  // 100 Hz
  irq.edges = 0;
  time.ns = 55'000'000;  // five edges have passed
  clock.run_due();
  EXPECT_EQ(irq.edges, 1);
  test::run_until(clock, time, 59'000'000);
  EXPECT_EQ(irq.edges, 2);
  test::run_until(clock, time, 105'000'000);
  EXPECT_EQ(irq.edges, 2 + 5);
}

TEST_F(Pit, Port61Toggles) {
  const u8 first = in(0x61);
  time.ns += 15'100;
  EXPECT_EQ((in(0x61) ^ first) & 0x10, 0x10);
  out(0x61, 0xff);
  EXPECT_EQ(in(0x61) & 0x0f, 0x0f);
}

TEST_F(Pit, SaveAndRestore) {
  out(0x43, 0x34);
  out(0x40, 0x00);
  out(0x40, 0x10);
  out(0x43, 0xb6);
  out(0x42, 0x64);
  at_tick(100);
  out(0x43, 0xc2);
  test::Wire other_irq;
  I8254 other(clock, other_irq.line());
  test::expect_copy(pit, other);
  irq.edges = other_irq.edges = 0;
  at_tick(0x1000 * 5);
  EXPECT_EQ(other_irq.edges, irq.edges);
  EXPECT_EQ(irq.edges, 5);
  EXPECT_EQ(other.port_read(0x40, 1), pit.port_read(0x40, 1));
}

TEST_F(Pit, AnyBytesAnywhereAreHarmless) {
  u32 seed = 3;
  const auto next = [&] { return (seed = seed * 1664525 + 1013904223) >> 8; };
  for (int i = 0; i < 300'000; ++i) {
    const u16 port = next() % 5 == 4 ? 0x61 : static_cast<u16>(0x40 + next() % 4);
    if (next() % 2 == 0)
      bus.write(port, 1u << next() % 3, next());
    else
      bus.read(port, 1u << next() % 3);
    time.ns += next() % 200'000;
    clock.run_due();
    if (next() % 64 == 0) {
      const std::vector<u8> bytes = test::saved(pit);
      StateReader reader(bytes);
      pit.restore(reader);
      ASSERT_EQ(test::saved(pit), bytes);
    }
  }
}

}  // namespace
}  // namespace ringshift
