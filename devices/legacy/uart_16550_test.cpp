// The 16550A: Linux's probing sequence, FIFOs, interrupts, loopback.
#include <gtest/gtest.h>

#include "devices/legacy/uart_16550.h"
#include "devices/test_rig.h"

namespace ringshift {
namespace {

struct Uart : testing::Test {
  Uart() { EXPECT_TRUE(uart.attach(bus)); }
  void out(unsigned reg, unsigned value) { bus.write(static_cast<u16>(0x3f8 + reg), 1, value); }
  u8 in(unsigned reg) { return static_cast<u8>(bus.read(static_cast<u16>(0x3f8 + reg), 1)); }

  test::FakeTime time;
  Clock clock{time};
  IoBus bus;
  test::Wire irq;
  test::TextBackend backend;
  Uart16550 uart{"com1", 0x3f8, irq.line(), clock, backend};
};

// autoconfig() of drivers/tty/serial/8250 in Linux.
TEST_F(Uart, LinuxFindsA16550A) {
  out(1, 0);
  EXPECT_EQ(in(1) & 0x0f, 0);
  out(1, 0x0f);
  EXPECT_EQ(in(1), 0x0f);
  out(1, 0);
  out(4, 0x1a);
  EXPECT_EQ(in(6) & 0xf0, 0x90);
  out(4, 0);
  out(3, 0xbf);
  out(2, 0);
  out(3, 0);
  out(2, 0x01);
  EXPECT_EQ(in(2) >> 6, 3);
  out(3, 0xbf);
  EXPECT_NE(in(2), 0);  // not a 16650: EFR isn't there
  out(3, 0x80);
  out(2, 0x21);
  EXPECT_EQ(in(2) & 0x20, 0);  // not a 16750
  out(3, 0);
  out(2, 0x01);
  out(1, 0x40);
  EXPECT_EQ(in(1) & 0x40, 0);  // not an XScale
  out(7, 0xa5);
  EXPECT_EQ(in(7), 0xa5);
}

TEST_F(Uart, DivisorLatch) {
  out(3, 0x83);
  out(0, 0x01);
  out(1, 0x02);
  EXPECT_EQ(in(0), 1);
  EXPECT_EQ(in(1), 2);
  out(3, 0x03);
  EXPECT_EQ(in(1), 0);
  EXPECT_EQ(in(5), 0x60);
}

TEST_F(Uart, SendsInBatchesThatDoNotWaitLong) {
  for (const char c : std::string("login: ")) out(0, static_cast<u8>(c));
  EXPECT_EQ(backend.text, "");
  test::run_until(clock, time, 2'000'000);
  EXPECT_EQ(backend.text, "login: ");
  for (const char c : std::string("root\n")) out(0, static_cast<u8>(c));
  EXPECT_EQ(backend.text, "login: root\n");
  EXPECT_EQ(backend.writes, 2);
  for (int i = 0; i < 1000; ++i) out(0, 'x');
  EXPECT_GE(backend.text.size(), 12u + 768);
  uart.flush();
  EXPECT_EQ(backend.text.size(), 1012u);
}

TEST_F(Uart, NothingIsLostAtTheEnd) {
  test::TextBackend other;
  {
    Uart16550 short_lived("com2", 0x2f8, {}, clock, other);
    short_lived.port_write(0x2f8, 1, '!');
  }
  EXPECT_EQ(other.text, "!");
}

TEST_F(Uart, ThreInterrupt) {
  out(4, 0x08);
  out(1, 0x02);
  EXPECT_TRUE(irq.level);
  EXPECT_EQ(in(2), 0x02);
  EXPECT_FALSE(irq.level);
  EXPECT_EQ(in(2), 0x01);
  irq.edges = 0;
  out(0, 'a');
  EXPECT_TRUE(irq.level);
  out(0, 'b');  // without a look at IIR: a new edge nevertheless
  EXPECT_EQ(irq.edges, 2);
  out(4, 0x00);  // OUT2 gates the pin
  EXPECT_FALSE(irq.level);
}

TEST_F(Uart, ReceivesIntoTheFifo) {
  out(2, 0x81);  // FIFO, trigger 8
  out(4, 0x08);
  out(1, 0x05);
  EXPECT_EQ(backend.room(), 16u);
  backend.type("hello");
  EXPECT_TRUE(irq.level);
  EXPECT_EQ(in(2), 0xcc);  // character time-out
  EXPECT_EQ(backend.room(), 11u);
  backend.type("world");
  EXPECT_EQ(in(2), 0xc4);
  std::string got;
  while ((in(5) & 1) != 0) got += static_cast<char>(in(0));
  EXPECT_EQ(got, "helloworld");
  EXPECT_FALSE(irq.level);
  EXPECT_GE(backend.ready, 1);
}

TEST_F(Uart, OverrunIsReportedOnce) {
  out(2, 0x01);
  out(4, 0x08);
  out(1, 0x04);
  backend.type("0123456789abcdefX");
  EXPECT_TRUE(irq.level);
  EXPECT_EQ(in(2), 0xc6);
  EXPECT_EQ(in(5) & 2, 2);
  EXPECT_EQ(in(5) & 2, 0);
  EXPECT_FALSE(irq.level);
  EXPECT_EQ(in(0), '0');
  out(2, 0x03);
  EXPECT_EQ(in(5) & 1, 0);
}

TEST_F(Uart, Loopback) {
  out(4, 0x10);
  out(0, 'Z');
  EXPECT_EQ(in(5) & 1, 1);
  EXPECT_EQ(in(0), 'Z');
  uart.flush();
  EXPECT_EQ(backend.text, "");
  in(6);
  out(4, 0x1f);
  EXPECT_EQ(in(6), 0xfb);  // all lines on; RI's leading edge isn't a change that counts
  out(4, 0x10);
  EXPECT_EQ(in(6), 0x0f);
  EXPECT_EQ(backend.room(), 0u);
}

TEST_F(Uart, SaveAndRestore) {
  out(2, 0x41);
  out(4, 0x0b);
  out(1, 0x07);
  backend.type("abc");
  in(0);
  test::TextBackend other_backend;
  test::Wire other_irq;
  Uart16550 other("com1", 0x3f8, other_irq.line(), clock, other_backend);
  test::expect_copy(uart, other);
  EXPECT_TRUE(other_irq.level);
  EXPECT_EQ(other.port_read(0x3f8, 1), u32{'b'});
}

TEST_F(Uart, AnyBytesAnywhereAreHarmless) {
  u32 seed = 5;
  const auto next = [&] { return (seed = seed * 1664525 + 1013904223) >> 8; };
  for (int i = 0; i < 300'000; ++i) {
    const u16 port = static_cast<u16>(0x3f8 + next() % 8);
    if (next() % 2 == 0)
      bus.write(port, 1u << next() % 3, next());
    else
      bus.read(port, 1u << next() % 3);
    if (next() % 8 == 0 && backend.room() > 0) backend.type("x");
    time.ns += 1000;
    clock.run_due();
    ASSERT_LE(backend.room(), 16u);
  }
}

}  // namespace
}  // namespace ringshift
