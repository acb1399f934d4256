// The i8042 and its keyboard: Linux's probing, translation, A20, reset; port 92h too.
#include <gtest/gtest.h>

#include "devices/legacy/i8042.h"
#include "devices/legacy/port92.h"
#include "devices/test_rig.h"

namespace ringshift {
namespace {

struct Kbc : testing::Test {
  Kbc() {
    EXPECT_TRUE(kbc.attach(bus));
    EXPECT_TRUE(port92.attach(bus));
  }
  void command(u8 value) { bus.write(0x64, 1, value); }
  void data(u8 value) { bus.write(0x60, 1, value); }
  u8 status() { return static_cast<u8>(bus.read(0x64, 1)); }
  u8 data() { return static_cast<u8>(bus.read(0x60, 1)); }
  // All that waits in the output buffer, as hexadecimal.
  std::string drain() {
    std::string out;
    for (int i = 0; i < 100 && (status() & 1) != 0; ++i) out += fmt::format("{:02x} ", data());
    return out;
  }

  IoBus bus;
  test::Wire irq;
  test::Signals signals;
  test::Power power;
  A20Gate a20{signals};
  I8042 kbc{irq.line(), a20, power};
  Port92 port92{a20, power};
};

TEST_F(Kbc, SelfTests) {
  command(0xaa);
  EXPECT_EQ(status() & 1, 1);
  EXPECT_EQ(drain(), "55 ");
  command(0xab);
  EXPECT_EQ(drain(), "00 ");
  command(0xc0);
  EXPECT_EQ(drain(), "80 ");
}

// i8042_controller_check and i8042_check_aux of Linux.
TEST_F(Kbc, LinuxFindsNoAuxPort) {
  EXPECT_EQ(drain(), "");
  command(0x20);
  const u8 ctr = data();
  EXPECT_EQ(ctr & 0x60, 0x60);
  command(0x60);
  data(static_cast<u8>((ctr | 0x10) & ~0x01));
  command(0x20);
  EXPECT_EQ(data(), (ctr | 0x10) & ~0x01);
  command(0xd3);
  data(0x5a);
  EXPECT_EQ(status() & 0x21, 0x01);  // not as aux data
  EXPECT_EQ(drain(), "5a ");
  command(0xa9);
  EXPECT_EQ(drain(), "02 ");
}

TEST_F(Kbc, KeyboardCommands) {
  data(0xff);
  EXPECT_TRUE(irq.level);
  EXPECT_EQ(drain(), "fa aa ");
  EXPECT_FALSE(irq.level);
  data(0xf2);
  EXPECT_EQ(drain(), "fa ab 41 ");  // 83 translated
  data(0xed);
  EXPECT_EQ(drain(), "fa ");
  data(0x07);
  EXPECT_EQ(drain(), "fa ");
  data(0xf3);
  data(0x00);
  EXPECT_EQ(drain(), "fa fa ");
  data(0xee);
  EXPECT_EQ(drain(), "ee ");
  data(0xf0);
  data(0x00);
  EXPECT_EQ(drain(), "fa fa 41 ");  // set 2, translated
  data(0x12);
  EXPECT_EQ(drain(), "fe ");
}

TEST_F(Kbc, EachByteInterrupts) {
  irq.edges = 0;
  data(0xf2);
  EXPECT_EQ(irq.edges, 1);
  data();
  EXPECT_EQ(irq.edges, 2);
  data();
  data();
  EXPECT_EQ(irq.edges, 3);
  EXPECT_FALSE(irq.level);
}

TEST_F(Kbc, KeysAreTranslated) {
  const u8 press_a[] = {0x1c};
  const u8 release_a[] = {0xf0, 0x1c};
  const u8 press_up[] = {0xe0, 0x75};
  const u8 release_up[] = {0xe0, 0xf0, 0x75};
  kbc.key(press_a);
  kbc.key(release_a);
  kbc.key(press_up);
  kbc.key(release_up);
  EXPECT_EQ(drain(), "1e 9e e0 48 e0 c8 ");
  command(0x60);
  data(0x05);  // no translation
  kbc.key(release_a);
  EXPECT_EQ(drain(), "f0 1c ");
  data(0xf5);
  EXPECT_EQ(drain(), "fa ");
  kbc.key(press_a);
  EXPECT_EQ(drain(), "");
}

TEST_F(Kbc, DisabledKeyboardWaits) {
  command(0xad);
  const u8 press_a[] = {0x1c};
  kbc.key(press_a);
  EXPECT_EQ(drain(), "");
  command(0xae);
  EXPECT_EQ(drain(), "1e ");
}

TEST_F(Kbc, A20) {
  command(0xd0);
  EXPECT_EQ(data() & 3, 3);
  command(0xd1);
  data(0xdd);
  EXPECT_TRUE(signals.a20_masked);
  EXPECT_EQ(bus.read(0x92, 1) & 2, 0u);
  bus.write(0x92, 1, 2);
  EXPECT_FALSE(signals.a20_masked);
  command(0xdd);
  EXPECT_TRUE(signals.a20_masked);
  command(0xdf);
  EXPECT_FALSE(signals.a20_masked);
  EXPECT_EQ(power.resets, 0);
}

TEST_F(Kbc, Resets) {
  command(0xfe);
  EXPECT_EQ(power.resets, 1);
  command(0xff);
  EXPECT_EQ(power.resets, 1);
  bus.write(0x92, 1, 3);
  EXPECT_EQ(power.resets, 2);
  bus.write(0x92, 1, 3);  // no edge
  EXPECT_EQ(power.resets, 2);
}

TEST_F(Kbc, AuxWritesTimeOut) {
  command(0xd4);
  data(0xf4);
  EXPECT_EQ(status() & 0x61, 0x61);
  EXPECT_FALSE(irq.level);
  EXPECT_EQ(data(), 0xfe);
}

TEST_F(Kbc, FloodOfKeysIsBounded) {
  const u8 press_a[] = {0x1c};
  for (int i = 0; i < 10'000; ++i) kbc.key(press_a);
  EXPECT_LE(drain().size(), 65u * 3);
}

TEST_F(Kbc, SaveAndRestore) {
  data(0xf2);
  command(0x61);
  test::Wire other_irq;
  I8042 other(other_irq.line(), a20, power);
  test::expect_copy(kbc, other);
  EXPECT_TRUE(other_irq.level);
  EXPECT_EQ(other.port_read(0x60, 1), 0xfau);
  EXPECT_EQ(other.port_read(0x60, 1), 0xabu);
}

TEST_F(Kbc, AnyBytesAnywhereAreHarmless) {
  u32 seed = 11;
  const auto next = [&] { return (seed = seed * 1664525 + 1013904223) >> 8; };
  for (int i = 0; i < 200'000; ++i) {
    const u16 port = next() % 2 == 0 ? 0x60 : 0x64;
    if (next() % 2 == 0)
      bus.write(port, 1u << next() % 3, next());
    else
      bus.read(port, 1u << next() % 3);
    const u8 codes[] = {static_cast<u8>(next()), static_cast<u8>(next())};
    if (next() % 16 == 0) kbc.key(codes);
  }
}

}  // namespace
}  // namespace ringshift
