// The 8259 pair: the sequences that BIOSes and Linux use, cascading, spurious interrupts, modes.
#include <gtest/gtest.h>

#include "devices/irq/i8259.h"
#include "devices/test_rig.h"

namespace ringshift {
namespace {

struct Pic : testing::Test {
  Pic() {
    EXPECT_TRUE(pic.attach(bus));
    init(0x30, 0x38, 0x01);
  }
  // As Linux's init_8259A does.
  void init(u8 master_base, u8 slave_base, u8 icw4) {
    out(0x21, 0xff);
    out(0x20, 0x11);
    out(0x21, master_base);
    out(0x21, 0x04);
    out(0x21, icw4);
    out(0xa0, 0x11);
    out(0xa1, slave_base);
    out(0xa1, 0x02);
    out(0xa1, 0x01);
    out(0x21, 0x00);
    out(0xa1, 0x00);
  }
  void out(u16 port, u8 value) { bus.write(port, 1, value); }
  u8 in(u16 port) { return static_cast<u8>(bus.read(port, 1)); }

  IoBus bus;
  test::Wire intr;
  I8259Pair pic{intr.line()};
};

TEST_F(Pic, EdgeIsServedOnceUntilEoi) {
  pic.set_line(4, true);
  EXPECT_TRUE(intr.level);
  EXPECT_EQ(pic.acknowledge(), 0x34);
  EXPECT_FALSE(intr.level);
  out(0x20, 0x0b);
  EXPECT_EQ(in(0x20), 0x10);  // ISR
  out(0x20, 0x64);            // specific EOI
  EXPECT_FALSE(intr.level);   // the line is still up, but there was no new edge
  pic.set_line(4, false);
  pic.set_line(4, true);
  EXPECT_TRUE(intr.level);
}

TEST_F(Pic, CascadedInterruptNeedsBothEois) {
  pic.set_line(8, true);
  EXPECT_EQ(pic.acknowledge(), 0x38);
  out(0x20, 0x0b);
  out(0xa0, 0x0b);
  EXPECT_EQ(in(0x20), 0x04);
  EXPECT_EQ(in(0xa0), 0x01);
  pic.set_line(14, true);
  EXPECT_FALSE(intr.level);  // lower priority on the same slave
  out(0xa0, 0x60);
  EXPECT_FALSE(intr.level);  // the master's input 2 is in service
  out(0x20, 0x62);
  EXPECT_TRUE(intr.level);
  EXPECT_EQ(pic.acknowledge(), 0x3e);
}

TEST_F(Pic, HigherPriorityNests) {
  pic.set_line(5, true);
  EXPECT_EQ(pic.acknowledge(), 0x35);
  pic.set_line(6, true);
  EXPECT_FALSE(intr.level);
  pic.set_line(1, true);
  EXPECT_TRUE(intr.level);
  EXPECT_EQ(pic.acknowledge(), 0x31);
  out(0x20, 0x20);  // ends 1
  EXPECT_FALSE(intr.level);
  out(0x20, 0x20);  // ends 5
  EXPECT_TRUE(intr.level);
  EXPECT_EQ(pic.acknowledge(), 0x36);
}

TEST_F(Pic, RequestThatGoesIsSpurious) {
  pic.set_line(3, true);
  pic.set_line(3, false);
  EXPECT_FALSE(intr.level);
  EXPECT_EQ(pic.acknowledge(), 0x37);
  out(0x20, 0x0b);
  EXPECT_EQ(in(0x20), 0);  // nothing in service
}

TEST_F(Pic, SpuriousOnTheSlaveLeavesTheMastersBit) {
  out(0xa1, 0xff);
  pic.set_line(9, true);
  EXPECT_FALSE(intr.level);
  out(0xa1, 0x00);
  EXPECT_TRUE(intr.level);
  EXPECT_EQ(pic.acknowledge(), 0x39);
}

TEST_F(Pic, MaskHoldsBackAndKeeps) {
  out(0x21, 0x10);
  pic.set_line(4, true);
  EXPECT_FALSE(intr.level);
  out(0x20, 0x0a);
  EXPECT_EQ(in(0x20), 0x10);  // IRR
  EXPECT_EQ(in(0x21), 0x10);
  out(0x21, 0x00);
  EXPECT_TRUE(intr.level);
}

TEST_F(Pic, LevelTriggeredAsksAgain) {
  out(0x4d1, 0xff);
  EXPECT_EQ(in(0x4d1), 0xde);  // IRQ 8 and 13 stay edge-triggered
  out(0x4d0, 0xff);
  EXPECT_EQ(in(0x4d0), 0xf8);
  pic.set_line(9, true);
  EXPECT_EQ(pic.acknowledge(), 0x39);
  out(0xa0, 0x61);
  out(0x20, 0x62);
  EXPECT_TRUE(intr.level);
  pic.set_line(9, false);
  EXPECT_FALSE(intr.level);
}

TEST_F(Pic, AutoEoiLeavesNothingInService) {
  init(0x30, 0x38, 0x03);
  pic.set_line(0, true);
  EXPECT_EQ(pic.acknowledge(), 0x30);
  out(0x20, 0x0b);
  EXPECT_EQ(in(0x20), 0);
  out(0x20, 0x80);  // rotate in automatic EOI mode
  pic.set_line(0, false);
  pic.set_line(0, true);
  pic.set_line(7, true);
  EXPECT_EQ(pic.acknowledge(), 0x30);
  pic.set_line(0, false);
  pic.set_line(0, true);
  EXPECT_EQ(pic.acknowledge(), 0x37);  // 0 has become the lowest
}

TEST_F(Pic, RotationAndSetPriority) {
  out(0x20, 0xc3);  // 3 is the lowest, so 4 the highest
  pic.set_line(1, true);
  pic.set_line(4, true);
  EXPECT_EQ(pic.acknowledge(), 0x34);
  out(0x20, 0xa0);  // rotate on non-specific EOI: 4 becomes the lowest
  pic.set_line(4, false);
  pic.set_line(4, true);
  EXPECT_EQ(pic.acknowledge(), 0x31);
}

TEST_F(Pic, SpecialMaskModeLetsLowerOnesIn) {
  pic.set_line(2 + 1, true);
  EXPECT_EQ(pic.acknowledge(), 0x33);
  pic.set_line(6, true);
  EXPECT_FALSE(intr.level);
  out(0x21, 0x08);
  EXPECT_FALSE(intr.level);
  out(0x20, 0x68);
  EXPECT_TRUE(intr.level);
  EXPECT_EQ(pic.acknowledge(), 0x36);
}

TEST_F(Pic, PollAcknowledges) {
  pic.set_line(5, true);
  out(0x20, 0x0c);
  EXPECT_EQ(in(0x20), 0x85);
  EXPECT_FALSE(intr.level);
  out(0x20, 0x0c);
  EXPECT_EQ(in(0x20), 0x00);
}

TEST_F(Pic, InitialisationForgetsEdges) {
  pic.set_line(4, true);
  init(0x20, 0x28, 0x01);
  EXPECT_FALSE(intr.level);
  EXPECT_EQ(in(0x21), 0x00);
  pic.set_line(4, false);
  pic.set_line(4, true);
  EXPECT_EQ(pic.acknowledge(), 0x24);
}

TEST_F(Pic, SpecialFullyNestedSlave) {
  init(0x30, 0x38, 0x11);
  pic.set_line(12, true);
  EXPECT_EQ(pic.acknowledge(), 0x3c);
  pic.set_line(8, true);
  EXPECT_TRUE(intr.level);
  EXPECT_EQ(pic.acknowledge(), 0x38);
}

TEST_F(Pic, SaveAndRestore) {
  pic.set_line(8, true);
  pic.acknowledge();
  pic.set_line(1, true);
  out(0xa1, 0x5a);
  test::Wire other_intr;
  I8259Pair other(other_intr.line());
  test::expect_copy(pic, other);
  EXPECT_TRUE(other_intr.level);
  EXPECT_EQ(other.acknowledge(), 0x31);
}

TEST_F(Pic, AnyBytesAnywhereAreHarmless) {
  u32 seed = 1;
  for (int i = 0; i < 200'000; ++i) {
    seed = seed * 1664525 + 1013904223;
    constexpr u16 kPorts[] = {0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1};
    switch ((seed >> 8) % 4) {
      case 0:
        bus.write(kPorts[(seed >> 16) % 6], 1u << ((seed >> 12) % 3), seed >> 10);
        break;
      case 1:
        bus.read(kPorts[(seed >> 16) % 6], 1u << ((seed >> 12) % 3));
        break;
      case 2:
        pic.set_line((seed >> 20) % 20, (seed >> 30) & 1);
        break;
      default:
        if (pic.output()) pic.acknowledge();
    }
    ASSERT_EQ(intr.level, pic.output());
  }
}

}  // namespace
}  // namespace ringshift
