// Local APIC, I/O APIC and the router between them, the PIC and the CPU.
#include <gtest/gtest.h>

#include "devices/irq/interrupt_router.h"
#include "devices/test_rig.h"

namespace ringshift {
namespace {

struct Apic : testing::Test {
  Apic() {
    EXPECT_TRUE(local.attach(bus));
    EXPECT_TRUE(io.attach(bus));
    EXPECT_TRUE(pic.attach(ports));
  }
  u32 read(unsigned offset) { return static_cast<u32>(bus.read(LocalApic::kBase + offset, 4)); }
  void write(unsigned offset, u32 value) { bus.write(LocalApic::kBase + offset, 4, value); }
  u32 io_read(u8 index) {
    bus.write(IoApic::kBase, 4, index);
    return static_cast<u32>(bus.read(IoApic::kBase + 0x10, 4));
  }
  void io_write(u8 index, u32 value) {
    bus.write(IoApic::kBase, 4, index);
    bus.write(IoApic::kBase + 0x10, 4, value);
  }
  void route(unsigned input, u32 low) {
    io_write(static_cast<u8>(0x11 + 2 * input), 0);
    io_write(static_cast<u8>(0x10 + 2 * input), low);
  }
  void self_ipi(u8 vector) { write(0x300, 0x40000 | vector); }
  void init_pic() {
    for (const auto& [port, value] : {std::pair<u16, u8>{0x20, 0x11},
                                      {0x21, 0x30},
                                      {0x21, 4},
                                      {0x21, 1},
                                      {0xa0, 0x11},
                                      {0xa1, 0x38},
                                      {0xa1, 2},
                                      {0xa1, 1}})
      ports.write(port, 1, value);
  }

  test::FakeTime time;
  Clock clock{time};
  MmioBus bus;
  IoBus ports;
  test::Signals signals;
  I8259Pair pic;
  LocalApic local{clock, signals};
  IoApic io{local};
  InterruptRouter router{signals, pic, local, io};
};

TEST_F(Apic, IdentifiesItself) {
  EXPECT_EQ(read(0x30), 0x50014u);
  EXPECT_EQ(read(0x20), 0u);
  EXPECT_EQ(io_read(0), 0x01000000u);
  EXPECT_EQ(io_read(1), 0x00170011u);
  EXPECT_EQ(io_read(0x10), 0x10000u);
}

TEST_F(Apic, PriorityHoldsBackLowerClasses) {
  self_ipi(0x41);
  EXPECT_TRUE(signals.intr);
  self_ipi(0x52);
  EXPECT_EQ(router.acknowledge(), 0x52);
  EXPECT_FALSE(signals.intr);
  self_ipi(0x5f);  // same class as what is served
  EXPECT_FALSE(signals.intr);
  EXPECT_EQ(read(0xa0), 0x50u);
  write(0xb0, 0);
  EXPECT_TRUE(signals.intr);
  EXPECT_EQ(router.acknowledge(), 0x5f);
  write(0xb0, 0);
  write(0x80, 0x40);  // the task priority holds 41 back
  EXPECT_FALSE(signals.intr);
  write(0x80, 0x30);
  EXPECT_TRUE(signals.intr);
  EXPECT_EQ(router.acknowledge(), 0x41);
  EXPECT_EQ(router.acknowledge(), -1);
}

TEST_F(Apic, TimerOneShot) {
  write(0x3e0, 0x3);      // divide by 16
  write(0x320, 0x000ec);  // one-shot
  write(0x380, 1000);     // 16,000 ns
  time.ns = 8000;
  EXPECT_EQ(read(0x390), 500u);
  clock.run_due();
  EXPECT_FALSE(signals.intr);
  time.ns = 16000;
  clock.run_due();
  EXPECT_TRUE(signals.intr);
  EXPECT_EQ(router.acknowledge(), 0xec);
  EXPECT_EQ(read(0x390), 0u);
  EXPECT_EQ(clock.next_deadline(), Clock::kNever);
}

// On a slow host two looks at the clock are further apart than the guest's count is long.
TEST_F(Apic, TimerShorterThanALookAtTheClock) {
  write(0x320, 0x40);
  time.step = 2000;
  write(0x380, 62);
  time.step = 0;
  EXPECT_NE(clock.next_deadline(), Clock::kNever);
  test::run_until(clock, time, time.ns + 10'000);
  EXPECT_EQ(router.acknowledge(), 0x40);
}

// An expiry that the host has not got round to is not forgotten when the guest starts another count.
TEST_F(Apic, TimerThatHasExpiredCountsBeforeTheNext) {
  write(0x320, 0x40);
  write(0x380, 1000);
  time.ns += 100'000;
  write(0x380, 1'000'000);
  EXPECT_EQ(router.acknowledge(), 0x40);
}

TEST_F(Apic, TimerPeriodicAndMasked) {
  write(0x3e0, 0xb);  // divide by 1
  write(0x320, 0x20030);
  write(0x380, 1'000'000);
  int ticks = 0;
  for (int i = 1; i <= 10; ++i) {
    test::run_until(clock, time, static_cast<u64>(i) * 1'000'000);
    if (router.acknowledge() == 0x30) ++ticks;
    write(0xb0, 0);
  }
  EXPECT_EQ(ticks, 10);
  time.ns += 250'000;
  EXPECT_EQ(read(0x390), 750'000u);
  write(0x320, 0x30030);
  EXPECT_EQ(clock.next_deadline(), Clock::kNever);
  time.ns += 1'000'000;  // it goes on counting
  EXPECT_EQ(read(0x390), 750'000u);
  write(0x320, 0x20030);
  EXPECT_EQ(clock.next_deadline(), 12'000'000u);
  write(0x380, 0);
  EXPECT_EQ(clock.next_deadline(), Clock::kNever);
}

TEST_F(Apic, TimerAtTheHighestRateIsBounded) {
  write(0x3e0, 0xb);
  write(0x320, 0x20030);
  write(0x380, 1);
  int runs = 0;
  for (; clock.next_deadline() <= 10'000'000; ++runs) {
    time.ns = std::max(time.ns, clock.next_deadline());
    clock.run_due();
  }
  EXPECT_LE(runs, 510);
  EXPECT_GE(runs, 400);
}

TEST_F(Apic, OneMissedPeriodIsMadeUpFor) {
  write(0x3e0, 0xb);
  write(0x320, 0x20030);
  write(0x380, 4'000'000);
  int ticks = 0;
  const auto serve = [&] {
    while (router.acknowledge() == 0x30) {
      ++ticks;
      write(0xb0, 0);
    }
  };
  time.ns = 21'000'000;  // five periods
  clock.run_due();
  serve();
  EXPECT_EQ(ticks, 1);
  EXPECT_EQ(clock.next_deadline(), 22'000'000u);
  test::run_until(clock, time, 22'000'000);
  serve();
  EXPECT_EQ(ticks, 2);
  EXPECT_EQ(clock.next_deadline(), 24'000'000u);
}

TEST_F(Apic, EdgeThroughTheIoApic) {
  route(4, 0x0034);
  InterruptLine line = router.line(4);
  line.set(true);
  EXPECT_EQ(router.acknowledge(), 0x34);
  line.set(false);
  line.set(true);
  EXPECT_FALSE(signals.intr);  // pending, but its class is in service
  write(0xb0, 0);
  EXPECT_EQ(router.acknowledge(), 0x34);
  write(0xb0, 0);
  EXPECT_FALSE(signals.intr);
}

TEST_F(Apic, MaskedEdgeIsLost) {
  InterruptLine line = router.line(4);
  line.set(true);
  route(4, 0x0034);
  EXPECT_FALSE(signals.intr);
}

TEST_F(Apic, LevelAsksAgainAfterEoi) {
  write(0x350, 0x10000);
  route(9, 0x8039);
  InterruptLine line = router.line(9);
  line.set(true);
  EXPECT_EQ(io_read(0x10 + 18) & 0x4000, 0x4000u);  // remote IRR
  EXPECT_EQ(router.acknowledge(), 0x39);
  EXPECT_EQ(read(0x180 + 0x10), 1u << 25);  // TMR
  write(0xb0, 0);
  EXPECT_TRUE(signals.intr);
  EXPECT_EQ(router.acknowledge(), 0x39);
  line.set(false);
  write(0xb0, 0);
  EXPECT_FALSE(signals.intr);
  EXPECT_EQ(io_read(0x10 + 18) & 0x4000, 0u);
}

TEST_F(Apic, UnmaskingAnAssertedLevelInputSends) {
  InterruptLine line = router.line(11);
  line.set(true);
  route(11, 0x18042);
  EXPECT_FALSE(signals.intr);
  route(11, 0x08042);
  EXPECT_TRUE(signals.intr);
  route(11, 0x00042);  // edge: clears remote IRR
  EXPECT_EQ(io_read(0x10 + 22) & 0x4000, 0u);
}

TEST_F(Apic, Irq0IsInput2) {
  write(0x350, 0x10000);
  route(2, 0x0030);
  InterruptLine line = router.line(0);
  line.set(true);
  EXPECT_EQ(router.acknowledge(), 0x30);
}

TEST_F(Apic, LogicalDestination) {
  write(0xd0, 0x01000000);
  io_write(0x11 + 8, 0x02000000);
  io_write(0x10 + 8, 0x0934);  // logical, lowest priority
  router.line(4).set(true);
  EXPECT_FALSE(signals.intr);
  io_write(0x11 + 10, 0x03000000);
  io_write(0x10 + 10, 0x0935);
  router.line(5).set(true);
  EXPECT_EQ(router.acknowledge(), 0x35);
}

TEST_F(Apic, VirtualWireModePassesThePic) {
  init_pic();
  InterruptLine line = router.line(4);
  line.set(true);
  EXPECT_TRUE(signals.intr);
  write(0x350, 0x10700);  // LINT0 masked
  EXPECT_FALSE(signals.intr);
  write(0x350, 0x00700);
  EXPECT_TRUE(signals.intr);
  EXPECT_EQ(router.acknowledge(), 0x34);
  EXPECT_FALSE(signals.intr);
}

TEST_F(Apic, DisabledApicLeavesThePicAlone) {
  init_pic();
  local.set_apic_base(LocalApic::kBase);
  EXPECT_EQ(read(0x30), 0xffffffffu);
  router.line(1).set(true);
  EXPECT_EQ(router.acknowledge(), 0x31);
  local.set_apic_base(LocalApic::kBase | 0x800);
  EXPECT_EQ(read(0x350), 0x10000u);
  EXPECT_EQ(read(0xf0), 0xffu);
}

TEST_F(Apic, ExtIntThroughTheIoApic) {
  init_pic();
  write(0x350, 0x10000);
  router.line(4).set(true);
  EXPECT_FALSE(signals.intr);
  route(0, 0x0700);
  EXPECT_TRUE(signals.intr);
  EXPECT_EQ(router.acknowledge(), 0x34);
}

TEST_F(Apic, NmiAndInit) {
  local.set_lint1(true);
  EXPECT_EQ(signals.nmis, 1);
  write(0x310, 0);
  write(0x300, 0x0400);
  EXPECT_EQ(signals.nmis, 2);
  write(0x300, 0x8500);  // INIT level de-assert
  EXPECT_EQ(signals.inits, 0);
  write(0x300, 0xc500);
  EXPECT_EQ(signals.inits, 1);
}

TEST_F(Apic, ErrorsAreRecordedAndDoNotRecurse) {
  write(0x370, 0x05);  // an error vector that is itself illegal
  self_ipi(3);
  write(0x280, 0);
  EXPECT_EQ(read(0x280), 0x60u);
  write(0x280, 0);
  EXPECT_EQ(read(0x280), 0u);
  write(0x370, 0xfe);
  read(0x3f0);
  EXPECT_EQ(router.acknowledge(), 0xfe);
  write(0x280, 0);
  EXPECT_EQ(read(0x280), 0x80u);
}

TEST_F(Apic, SoftwareDisableMasksAll) {
  write(0xf0, 0x0ff);
  EXPECT_EQ(read(0x350), 0x10700u);
  write(0x320, 0x30);
  EXPECT_EQ(read(0x320), 0x10030u);
  self_ipi(0x40);
  EXPECT_FALSE(signals.intr);
}

TEST_F(Apic, SaveAndRestore) {
  write(0x3e0, 0xb);
  write(0x320, 0x20030);
  write(0x380, 5000);
  self_ipi(0x61);
  router.acknowledge();
  self_ipi(0x81);
  route(9, 0x8039);
  router.line(9).set(true);
  test::Signals other_signals;
  LocalApic other(clock, other_signals);
  IoApic other_io(other);
  I8259Pair other_pic;
  InterruptRouter other_router(other_signals, other_pic, other, other_io);
  test::expect_copy(local, other);
  test::expect_copy(io, other_io);
  EXPECT_TRUE(other_signals.intr);
  EXPECT_EQ(other_router.acknowledge(), 0x81);
}

TEST_F(Apic, AnyAccessIsHarmless) {
  u32 seed = 7;
  const auto next = [&] { return (seed = seed * 1664525 + 1013904223) >> 8; };
  for (int i = 0; i < 300'000; ++i) {
    const Gpa base = next() % 4 == 0 ? IoApic::kBase : LocalApic::kBase;
    const Gpa at = base + (next() % 3 == 0 ? next() % 0x1000 : next() % 0x40 * 16);
    const unsigned size = 1u << next() % 4;
    if (next() % 2 == 0)
      bus.write(at, size, static_cast<u64>(next()) << 16 ^ next());
    else
      bus.read(at, size);
    if (next() % 8 == 0) router.set_line(next() % 30, next() % 2 == 0);
    if (next() % 8 == 0) router.acknowledge();
    time.ns += next() % 100'000;
    clock.run_due();
  }
  EXPECT_EQ(read(0x30), 0x50014u);
}

}  // namespace
}  // namespace ringshift
