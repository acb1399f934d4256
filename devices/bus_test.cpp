// IoBus and MmioBus: claims, splitting of accesses, what nobody claims.
#include <gtest/gtest.h>

#include <vector>

#include "devices/bus.h"

namespace ringshift {
namespace {

struct Recorder final : PortHandler, MmioHandler {
  struct Access {
    u64 at;
    unsigned size;
    u64 value;
    bool operator==(const Access&) const = default;
  };
  u32 port_read(u16 port, unsigned size) override {
    reads.push_back({port, size, 0});
    return 0xa0b0c0d0u | port;
  }
  void port_write(u16 port, unsigned size, u32 value) override { writes.push_back({port, size, value}); }
  u64 mmio_read(u64 offset, unsigned size) override {
    reads.push_back({offset, size, 0});
    return 0x1122334455667700 | offset;
  }
  void mmio_write(u64 offset, unsigned size, u64 value) override { writes.push_back({offset, size, value}); }
  std::vector<Access> reads, writes;
};

using Accesses = std::vector<Recorder::Access>;

TEST(IoBus, OverlapIsAnErrorThatNamesBoth) {
  IoBus bus;
  Recorder device;
  ASSERT_TRUE(bus.insert(0x60, 4, device, "first"));
  const auto overlap = bus.insert(0x63, 1, device, "second");
  ASSERT_FALSE(overlap);
  EXPECT_NE(overlap.error().message.find("first"), std::string::npos);
  EXPECT_NE(overlap.error().message.find("second"), std::string::npos);
  EXPECT_TRUE(bus.insert(0x64, 1, device, "third"));
  EXPECT_EQ(bus.claims().size(), 2u);
}

TEST(IoBus, RangeBeyondTheLastPortIsRefused) {
  IoBus bus;
  Recorder device;
  EXPECT_FALSE(bus.insert(0xffff, 2, device, "x"));
  EXPECT_FALSE(bus.insert(0x10, 0, device, "x"));
  EXPECT_FALSE(bus.insert(0x10, 1, device, "x", 3));
  EXPECT_TRUE(bus.insert(0xffff, 1, device, "x"));
  EXPECT_EQ(bus.read(0xffff, 4), 0xffffffd0u | 0xff);
}

TEST(IoBus, UnclaimedReadsAllOnes) {
  IoBus bus;
  EXPECT_EQ(bus.read(0x300, 1), 0xffu);
  EXPECT_EQ(bus.read(0x300, 2), 0xffffu);
  EXPECT_EQ(bus.read(0xffff, 4), 0xffffffffu);
  bus.write(0xfffe, 4, 1);
  EXPECT_GT(bus.unclaimed(), 0u);
}

TEST(IoBus, WideAccessesAreSplitToTheDevicesWidth) {
  IoBus bus;
  Recorder bytes, words;
  ASSERT_TRUE(bus.insert(0x40, 4, bytes, "bytes", 1));
  ASSERT_TRUE(bus.insert(0x80, 4, words, "words", 2));
  bus.write(0x40, 4, 0x44332211);
  EXPECT_EQ(bytes.writes, (Accesses{{0x40, 1, 0x11}, {0x41, 1, 0x22}, {0x42, 1, 0x33}, {0x43, 1, 0x44}}));
  bus.write(0x80, 4, 0x44332211);
  EXPECT_EQ(words.writes, (Accesses{{0x80, 2, 0x2211}, {0x82, 2, 0x4433}}));
  EXPECT_EQ(bus.read(0x40, 2), 0xd1d0u);
}

TEST(IoBus, AccessThatLeavesTheRangeIsSplit) {
  IoBus bus;
  Recorder device;
  ASSERT_TRUE(bus.insert(0x100, 3, device, "three", 4));
  bus.write(0x101, 4, 0x44332211);
  EXPECT_EQ(device.writes, (Accesses{{0x101, 2, 0x2211}}));
  EXPECT_EQ(bus.read(0xff, 2), 0xd0ffu);
}

TEST(MmioBus, FindsRefusesAndSplits) {
  MmioBus bus;
  Recorder low, high;
  ASSERT_TRUE(bus.insert(0x2000, 0x10, high, "high"));
  ASSERT_TRUE(bus.insert(0x1000, 0x10, low, "low"));
  EXPECT_FALSE(bus.insert(0x0f00, 0x101, low, "overlaps low"));
  EXPECT_FALSE(bus.insert(0x100f, 1, low, "overlaps low's end"));
  EXPECT_FALSE(bus.insert(0, ~u64{0}, low, "all"));
  EXPECT_FALSE(bus.insert(~u64{0}, 2, low, "wraps"));
  EXPECT_EQ(bus.read(0x2004, 4), 0x55667704u);
  EXPECT_EQ(high.reads, (Accesses{{4, 4, 0}}));
  EXPECT_EQ(bus.read(0x1010, 8), ~u64{0});
  bus.write(0x100e, 4, 0x44332211);
  EXPECT_EQ(low.writes, (Accesses{{0xe, 1, 0x11}, {0xf, 1, 0x22}}));
  EXPECT_EQ(bus.read(0x100f, 2), 0xff0fu);
}

}  // namespace
}  // namespace ringshift
