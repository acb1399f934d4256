// Guest: the 8254: modes, latches, read-back, formats, gates; and port 61h (Intel 8254 data sheet).
#include "runtime/pic.h"

namespace {

constexpr u16 kControl = 0x43, kCounter0 = 0x40, kCounter2 = 0x42, kPort61 = 0x61;

u32 read_pair(u16 port) {
  const u32 low = in8(port);
  return low | in8(port) << 8;
}
u32 latch0() {
  out8(kControl, 0x00);
  return read_pair(kCounter0);
}
u32 latch2() {
  out8(kControl, 0x80);
  return read_pair(kCounter2);
}
void program2(u8 control, u32 count) {
  out8(kControl, control);
  out8(kCounter2, static_cast<u8>(count));
  out8(kCounter2, static_cast<u8>(count >> 8));
}
void gate2(bool on) { out8(kPort61, static_cast<u8>((in8(kPort61) & 0x0c) | (on ? 1 : 0))); }
bool out2() { return (in8(kPort61) & 0x20) != 0; }
u8 status(u8 counter) {
  out8(kControl, static_cast<u8>(0xe0 | 2 << counter));
  return in8(static_cast<u16>(kCounter0 + counter));
}
// Waits some 300 ticks by the other counter, however long a port access takes.
void wait_by(u32 (*latch)()) {
  const u32 first = latch();
  while (((first - latch()) & 0xffff) < 300) {
  }
}
void wait_by_2() { wait_by(latch2); }
void wait_by_0() { wait_by(latch0); }
template <typename Condition>
bool eventually(Condition condition) {
  for (u32 i = 0; i < 3000000; ++i)
    if (condition()) return true;
  return false;
}

void test_counting() {
  gate2(true);
  program2(0xb4, 0);
  program_timer(2, 0);
  const u32 first = latch0();
  wait_by_2();
  const u32 second = latch0();
  check(second != first && ((first - second) & 0xffff) < 0x8000, "mode 2 counts down");
  program_timer(2, 1000);
  bool inside = true;
  for (u32 i = 0; i < 2000; ++i) {
    const u32 count = latch0();
    inside = inside && count >= 1 && count <= 1000;
  }
  check(inside, "mode 2 stays between 1 and its count");
  program_timer(3, 1000);
  bool even = true;
  for (u32 i = 0; i < 500; ++i) even = even && (latch0() & 1) == 0;
  check(even, "mode 3 counts by two");
  program_timer(2, 0);
  out8(kControl, 0x00);
  wait_by_2();
  u32 latched = read_pair(kCounter0);
  check(((latched - latch0()) & 0xffff) >= 300, "a latch holds the count of its time");
  out8(kControl, 0x00);
  wait_by_2();
  out8(kControl, 0x00);
  wait_by_2();
  latched = read_pair(kCounter0);
  check(((latched - latch0()) & 0xffff) >= 600, "a second latch before the read is ignored");
}

void test_formats() {
  out8(kControl, 0x14);  // counter 0, low byte only, mode 2
  out8(kCounter0, 100);
  bool low = true;
  for (u32 i = 0; i < 500; ++i) {
    const u32 count = in8(kCounter0);
    low = low && count >= 1 && count <= 100;
  }
  check(low, "low byte only: one byte a count");
  out8(kControl, 0x24);  // high byte only
  out8(kCounter0, 2);
  bool high = true;
  for (u32 i = 0; i < 500; ++i) high = high && in8(kCounter0) <= 2;
  check(high, "high byte only");
  out8(kControl, 0x35);  // both, mode 2, BCD
  out8(kCounter0, 0x00);
  out8(kCounter0, 0x10);
  bool bcd = true, many = false;
  for (u32 i = 0; i < 500; ++i) {
    const u32 count = latch0();
    bcd = bcd && count <= 0x1000 && (count & 0xf) < 10 && (count >> 4 & 0xf) < 10 && (count >> 8 & 0xf) < 10;
    many = many || count != 0x1000;
  }
  check(bcd && many, "BCD: decimal digits");
}

void test_status() {
  out8(kControl, 0x30);
  check_equal(status(0) & 0x7f, 0x70, "status: mode 0, no count yet");
  check_equal(status(0) & 0x80, 0, "status: OUT of mode 0 is low at first");
  out8(kCounter0, 0xff);
  check_equal(status(0) & 0x40, 0x40, "status: half a count is none");
  out8(kCounter0, 0xff);
  check(eventually([] { return (status(0) & 0x40) == 0; }), "status: the count is loaded");
  program_timer(0, 100);
  check(eventually([] { return (status(0) & 0x80) != 0; }), "status: OUT of mode 0 goes high");
  program_timer(2, 100);
  check_equal(status(0) & 0x3f, 0x34, "status: mode 2");
  out8(kControl, 0xb7);
  check_equal(status(2) & 0x3f, 0x37, "status: counter 2, mode 3, BCD");
  // Count and status in one command: status is read first.
  program_timer(2, 0x1234);
  eventually([] { return (status(0) & 0x40) == 0; });
  out8(kControl, 0xc2);
  const u8 first = in8(kCounter0);
  const u32 count = read_pair(kCounter0);
  check_equal(first & 0x3f, 0x34, "read-back of both: status first");
  check(count >= 1 && count <= 0x1234, "read-back of both: then the count");
}

void test_gate() {
  program_timer(2, 0);
  gate2(false);
  program2(0xb0, 0x8000);
  wait_by_0();
  const u32 stopped = latch2();
  wait_by_0();
  check_equal(latch2(), stopped, "mode 0: a low gate stops the count");
  check(!out2(), "mode 0: OUT is low");
  gate2(true);
  wait_by_0();
  check(latch2() < stopped, "mode 0: a high gate lets it go on");
  program2(0xb0, 200);
  check(eventually([] { return out2(); }), "mode 0: OUT goes high at the end");
  program2(0xb0, 0xffff);
  check(!out2(), "mode 0: a new count takes OUT low");
  // Mode 1: the gate's edge starts it.
  gate2(false);
  program2(0xb2, 2000);
  check(out2(), "mode 1: OUT is high at first");
  gate2(true);
  check(eventually([] { return out2(); }), "mode 1: OUT comes back");
  program2(0xb2, 0);
  gate2(false);
  gate2(true);
  check(eventually([] { return !out2(); }), "mode 1: the gate's edge takes OUT low");
  // Mode 3.
  program2(0xb6, 2000);
  bool good = true;
  for (u32 i = 0; i < 4; ++i)
    good = good && eventually([] { return !out2(); }) && eventually([] { return out2(); });
  check(good, "mode 3: a square wave");
  gate2(false);
  check(out2(), "mode 3: a low gate takes OUT high");
  // Mode 4: one strobe, OUT is high else.
  gate2(true);
  program2(0xb8, 3000);
  check(out2(), "mode 4: OUT is high while it counts");
  gate2(false);
}

void test_port61() {
  const u8 saved = in8(kPort61);
  out8(kPort61, static_cast<u8>((saved & 0x0c) | 2));
  check_equal(in8(kPort61) & 3, 2, "port 61h: speaker bit");
  out8(kPort61, static_cast<u8>(saved & 0x0c));
  check_equal(in8(kPort61) & 3, 0, "port 61h: both clear");
  check(eventually([] { return (in8(kPort61) & 0x10) != 0; }) &&
            eventually([] { return (in8(kPort61) & 0x10) == 0; }),
        "port 61h: the refresh bit toggles");
}

}  // namespace

void guest_main() {
  test_counting();
  test_formats();
  test_status();
  test_gate();
  test_port61();
}
