// PCI configuration mechanism 1, the bridges, and the reset control register.
#include <gtest/gtest.h>

#include "devices/pci/pc_bridges.h"
#include "devices/pci/pci_host.h"
#include "devices/test_rig.h"

namespace ringshift {
namespace {

struct TestCard final : PciFunction {
  TestCard() : PciFunction({0x1234, 0x5678, 0x020000, 1, 0}) {
    define(0x04, 2, 0, 0x0507);
    define(0x10, 4, 0x00000008, 0xfffff000);  // a 4 KiB prefetchable BAR
    define(0x3c, 1, 0, 0xff);
  }
  std::string_view name() const override { return "card"; }
  void config_changed(unsigned offset, unsigned size) override { changes.emplace_back(offset, size); }
  std::vector<std::pair<unsigned, unsigned>> changes;
};

struct Pci : testing::Test {
  Pci() {
    EXPECT_TRUE(host.attach(bus));
    EXPECT_TRUE(host.insert(0, 0, host_bridge));
    EXPECT_TRUE(host.insert(1, 0, isa_bridge));
    EXPECT_TRUE(host.insert(3, 0, card));
  }
  static u32 address(unsigned device, unsigned function, unsigned offset, unsigned pci_bus = 0) {
    return 0x80000000u | pci_bus << 16 | device << 11 | function << 8 | offset;
  }
  u32 read(unsigned device, unsigned offset, unsigned size = 4) {
    bus.write(0xcf8, 4, address(device, 0, offset & ~3u));
    return bus.read(static_cast<u16>(0xcfc + (offset & 3)), size);
  }
  void write(unsigned device, unsigned offset, unsigned size, u32 value) {
    bus.write(0xcf8, 4, address(device, 0, offset & ~3u));
    bus.write(static_cast<u16>(0xcfc + (offset & 3)), size, value);
  }

  IoBus bus;
  test::Power power;
  PciHost host{power};
  HostBridge host_bridge;
  IsaBridge isa_bridge;
  TestCard card;
};

// pci_check_type1 and pci_sanity_check of Linux.
TEST_F(Pci, LinuxFindsMechanismOne) {
  bus.write(0xcfb, 1, 0x01);
  bus.write(0xcf8, 4, 0x80000000);
  EXPECT_EQ(bus.read(0xcf8, 4), 0x80000000u);
  bus.write(0xcf8, 4, address(0, 0, 0x08));
  EXPECT_EQ(bus.read(0xcfe, 2), 0x0600u);
}

TEST_F(Pci, Identities) {
  EXPECT_EQ(read(0, 0), 0x12378086u);
  EXPECT_EQ(read(1, 0), 0x70008086u);
  EXPECT_EQ(read(1, 0x0a, 2), 0x0601u);
  EXPECT_EQ(read(3, 0x08), 0x02000001u);
  EXPECT_EQ(read(3, 0x0b, 1), 0x02u);
}

TEST_F(Pci, AbsentDevicesReadAllOnes) {
  EXPECT_EQ(read(2, 0), 0xffffffffu);
  EXPECT_EQ(read(31, 0, 2), 0xffffu);
  write(2, 4, 2, 7);
  bus.write(0xcf8, 4, address(0, 0, 0, 1));
  EXPECT_EQ(bus.read(0xcfc, 4), 0xffffffffu);
  bus.write(0xcf8, 4, 0x00000000);  // not enabled
  EXPECT_EQ(bus.read(0xcfc, 4), 0xffffffffu);
}

TEST_F(Pci, WritesAreMasked) {
  write(3, 0x10, 4, 0xffffffff);
  EXPECT_EQ(read(3, 0x10), 0xfffff008u);
  write(3, 0, 4, 0);
  EXPECT_EQ(read(3, 0), 0x56781234u);
  write(3, 0x3c, 4, 0xffffffff);
  EXPECT_EQ(read(3, 0x3c), 0x000000ffu);
  EXPECT_EQ(card.changes.size(), 3u);
  card.reset();
  EXPECT_EQ(read(3, 0x10), 0x00000008u);
}

TEST_F(Pci, AccessAcrossTheLastRegisterStaysInside) {
  bus.write(0xcf8, 4, address(3, 0, 0xfc));
  EXPECT_EQ(bus.read(0xcfe, 4), 0xffff0000u);  // two bytes of the function, two of nobody
  bus.write(0xcff, 4, 0xffffffff);
}

TEST_F(Pci, SlotsAreTakenOnce) {
  TestCard other;
  EXPECT_FALSE(host.insert(3, 0, other));
  EXPECT_FALSE(host.insert(32, 0, other));
  EXPECT_FALSE(host.insert(4, 8, other));
  EXPECT_TRUE(host.insert(4, 7, other));
}

TEST_F(Pci, ResetControl) {
  bus.write(0xcf9, 1, 0x02);
  EXPECT_EQ(power.resets, 0);
  bus.write(0xcf9, 1, 0x06);
  EXPECT_EQ(power.resets, 1);
  EXPECT_EQ(bus.read(0xcf9, 1), 0x06u);
  bus.write(0xcf8, 4, 0x80000600);  // an address, not a reset
  EXPECT_EQ(power.resets, 1);
  host.reset();
  EXPECT_EQ(bus.read(0xcf8, 4), 0u);
}

TEST_F(Pci, SaveAndRestore) {
  write(3, 0x10, 4, 0xe0000000);
  PciHost other(power);
  TestCard other_card;
  test::expect_copy(host, other);
  test::expect_copy(card, other_card);
  EXPECT_EQ(other_card.config_read(0x10, 4), 0xe0000008u);
}

}  // namespace
}  // namespace ringshift
