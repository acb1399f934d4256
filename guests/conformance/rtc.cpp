// Guest: the MC146818 clock: registers, time, periodic and update interrupts; and its CMOS RAM (data sheet).
#include "runtime/pic.h"

namespace {

u8 get(u8 index) {
  out8(0x70, index);
  return in8(0x71);
}
void put(u8 index, u8 value) {
  out8(0x70, index);
  out8(0x71, value);
}
u32 g_count;
u8 g_flags;
bool g_acknowledge = true;
bool on_interrupt(Frame& frame) {
  if (frame.vector != kPicVectors + 8) return false;
  ++g_count;
  if (g_acknowledge) g_flags = get(0x0c);
  end_of_interrupt(8);
  return true;
}
void open_window() { asm volatile("sti\n nop\n nop\n nop\n cli" ::: "memory"); }
bool wait_for(u32 count) {
  for (u32 i = 0; i < 20000000 && g_count < count; ++i) open_window();
  return g_count >= count;
}

// Five periods of the 1,024 Hz interrupt, by the PIT.
void wait_periods() {
  program_timer(0, 6000);
  wait_for_timer();
  for (u32 i = 0; i < 10; ++i) open_window();
}

bool is_bcd(u8 value) { return (value & 15) < 10 && value >> 4 < 10; }

void test_registers() {
  check_equal(get(0x0d) & 0x80, 0x80, "register D: RAM and time are valid");
  const u8 b = get(0x0b);
  check_equal(get(0x0a) & 0x70, 0x20, "register A: the divider for 32,768 Hz");
  put(0x0a, 0x26);
  check_equal(get(0x0a) & 0x7f, 0x26, "register A: rate");
  put(0x0b, b & 0x0f);
  // PF comes 1,024 times a second, on a slow machine between the two reads as well.
  u8 second_read = 0xff;
  for (u32 i = 0; i < 20 && second_read != 0; ++i) {
    get(0x0c);
    second_read = get(0x0c);
  }
  check_equal(second_read, 0, "register C is clear after a read");
  const u8 old = get(0x5a);
  put(0x5a, 0xc3);
  check_equal(get(0x5a), 0xc3, "CMOS RAM");
  put(0x5a, 0x3c);
  check_equal(get(0x5a), 0x3c, "CMOS RAM, again");
  put(0x5a, old);
  out8(0x70, 0x80 | 0x0d);
  check_equal(in8(0x71) & 0x80, 0x80, "the NMI mask isn't part of the index");
  out8(0x70, 0x0d);
  // BCD and 24 hours, as a PC's firmware leaves it.
  check_equal(b & 6, 2, "register B: BCD, 24 hours");
  for (u32 i = 0; i < 100000000 && (get(0x0a) & 0x80) != 0; ++i) {
  }
  const u8 seconds = get(0), minutes = get(2), hours = get(4), day = get(7), month = get(8), year = get(9);
  check(is_bcd(seconds) && seconds < 0x60 && is_bcd(minutes) && minutes < 0x60, "seconds and minutes");
  check(is_bcd(hours) && hours < 0x24, "hours");
  check(
      is_bcd(day) && day >= 1 && day <= 0x31 && is_bcd(month) && month >= 1 && month <= 0x12 && is_bcd(year),
      "day, month and year");
  // SET holds the time still.
  put(0x0b, static_cast<u8>((b & 0x0f) | 0x80));
  put(0, 0x42);
  check_equal(get(0), 0x42, "a time that is set with SET is kept");
  put(0, seconds);
  put(0x0b, b & 0x0f);
}

void test_periodic() {
  const u8 b = get(0x0b) & 0x0f;
  start_pics();
  set_handler(on_interrupt);
  out8(0x21, 0xfb);
  out8(0xa1, 0xfe);
  put(0x0a, 0x26);
  get(0x0c);
  g_count = 0;
  put(0x0b, b | 0x40);
  check(wait_for(1), "the periodic interrupt comes");
  check_equal(g_flags & 0xc0, 0xc0, "register C: IRQF and PF");
  check(wait_for(4), "again and again");
  g_acknowledge = false;
  const u32 before = g_count;
  check(wait_for(before + 1), "once more, unread");
  const u32 unread = g_count;
  wait_periods();
  check_equal(g_count, unread, "none follows until register C is read");
  g_acknowledge = true;
  get(0x0c);
  check(wait_for(unread + 1), "then they go on");
  put(0x0b, b);
  get(0x0c);
  g_count = 0;
  wait_periods();
  check_equal(g_count, 0, "none without PIE");
  // PF is set without PIE, too.
  get(0x0c);
  u8 flags = 0;
  for (u32 i = 0; i < 10000000 && (flags & 0x40) == 0; ++i) flags = get(0x0c);
  check_equal(flags & 0xc0, 0x40, "PF is set without PIE, IRQF isn't");
  g_count = 0;
  put(0x0b, b | 0x10);
  get(0x0c);
  for (u32 i = 0; i < 4000 && g_count == 0; ++i) {
    // The timer breaks HLT, should the clock stand still.
    put(0x0b, b | 0x50);
    asm volatile("sti\n hlt\n cli" ::: "memory");
    if ((g_flags & 0x10) == 0) g_count = 0;
  }
  check_equal(g_flags & 0x90, 0x90, "the update-ended interrupt");
  put(0x0b, b);
  get(0x0c);
  out8(0x21, 0xff);
  out8(0xa1, 0xff);
}

}  // namespace

void guest_main() {
  test_registers();
  test_periodic();
}
