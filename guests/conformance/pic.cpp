// Guest: the two 8259As: masks, requests, service, ends of interrupt, priorities, modes (Intel 8259A data
// sheet).
#include "runtime/pic.h"

namespace {

constexpr u16 kMaster = 0x20, kSlave = 0xa0, kUart = 0x3f8;
u32 g_log[16], g_logged;
u32 g_isr_seen, g_slave_isr_seen;
enum Finish { kNonSpecific, kNone, kSpecific, kRotating } g_finish;
bool g_quiet_sources = true;  // stop the source in its handler

u8 read_isr(u16 port) {
  out8(port, 0x0b);
  return in8(port);
}
u8 read_irr(u16 port) {
  out8(port, 0x0a);
  return in8(port);
}
void finish_irq(u32 irq) {
  if (g_finish == kNone) return;
  const u8 command = g_finish == kSpecific   ? static_cast<u8>(0x60 | (irq & 7))
                     : g_finish == kRotating ? static_cast<u8>(0xa0)
                                             : static_cast<u8>(0x20);
  if (irq >= 8) {
    out8(kSlave, command);
    out8(kMaster, g_finish == kSpecific ? 0x62 : 0x20);
  } else {
    out8(kMaster, command);
  }
}

bool on_interrupt(Frame& frame) {
  const u32 irq = frame.vector - kPicVectors;
  if (irq >= 16) return false;
  if (g_logged < 16) g_log[g_logged++] = irq;
  g_isr_seen = read_isr(kMaster);
  g_slave_isr_seen = read_isr(kSlave);
  if (irq == 4 && g_quiet_sources) out8(kUart + 1, 0);
  if (irq == 8) {
    out8(0x70, 0x0c);
    in8(0x71);
  }
  finish_irq(irq);
  return true;
}
u32 position(u32 irq) {
  u32 i = 0;
  while (i < g_logged && g_log[i] != irq) ++i;
  return i;
}
void open_window() { asm volatile("sti\n nop\n nop\n nop\n nop\n cli" ::: "memory"); }

// IRQ 0 by the timer, IRQ 4 by the UART's empty transmitter, IRQ 8 by the RTC's periodic interrupt.
void request_uart() {
  out8(kUart + 1, 0);
  out8(kUart + 3, 3);
  in8(kUart + 2);
  out8(kUart + 4, 8);  // OUT2 connects the line
  out8(kUart + 1, 2);
}
void request_rtc() {
  out8(0x70, 0x0a);
  out8(0x71, 0x26);
  out8(0x70, 0x0b);
  const u8 b = in8(0x71);
  out8(0x70, 0x0b);
  out8(0x71, b | 0x40);
  out8(0x70, 0x0c);
  in8(0x71);
}
void stop_rtc() {
  out8(0x70, 0x0b);
  const u8 b = in8(0x71);
  out8(0x70, 0x0b);
  out8(0x71, b & ~0x40);
  out8(0x70, 0x0c);
  in8(0x71);
}
void mask(u8 master, u8 slave = 0xff) {
  out8(0x21, master);
  out8(0xa1, slave);
}
bool wait_for_request(u16 port, u8 bits) {
  for (u32 i = 0; i < 10000000; ++i)
    if ((read_irr(port) & bits) == bits) return true;
  return false;
}

void test_registers() {
  start_pics();
  out8(kMaster, 0x11);
  out8(0x21, kPicVectors);
  out8(0x21, 4);
  out8(0x21, 1);
  check_equal(in8(0x21), 0, "ICW1 clears IMR");
  mask(0xff);
  for (u32 value = 0x55; value <= 0xaa; value += 0x55) {
    out8(0x21, static_cast<u8>(value));
    out8(0xa1, static_cast<u8>(~value));
    check(in8(0x21) == value && in8(0xa1) == static_cast<u8>(~value),
          value == 0x55 ? "IMR reads 55" : "IMR reads AA");
  }
  mask(0xff);
  check_equal(read_isr(kMaster), 0, "ISR is empty");
  program_timer(0, 100);
  check(wait_for_request(kMaster, 1), "IRR shows a request that is masked");
  open_window();
  check_equal(g_logged, 0, "which doesn't come");
  mask(0xfe);
  open_window();
  check(g_logged == 1 && g_log[0] == 0, "unmasked, it comes");
  check_equal(g_isr_seen, 1, "ISR in its handler");
  check_equal(read_isr(kMaster), 0, "ISR after EOI");
  check_equal(read_irr(kMaster) & 1, 0, "IRR after it: an edge is one request");
}

void test_service() {
  mask(0xfe);
  g_finish = kNone;
  g_logged = 0;
  request_timer();
  open_window();
  check_equal(read_isr(kMaster), 1, "without EOI, ISR keeps the bit");
  mask(0xee);
  request_uart();
  wait_for_request(kMaster, 0x10);
  open_window();
  check_equal(g_logged, 1, "a lower priority waits for EOI");
  out8(kMaster, 0x0a);
  out8(kMaster, 0x60);  // specific EOI of 0
  check_equal(read_isr(kMaster), 0, "specific EOI");
  open_window();
  check(g_logged == 2 && g_log[1] == 4, "then the lower one comes");
  out8(kMaster, 0x61);
  check_equal(read_isr(kMaster), 0x10, "a specific EOI of another leaves it");
  out8(kMaster, 0x20);
  check_equal(read_isr(kMaster), 0, "non-specific EOI");
  g_finish = kNonSpecific;
}

void test_priorities() {
  mask(0xff);
  g_logged = 0;
  program_timer(0, 100);
  request_uart();
  check(wait_for_request(kMaster, 0x11), "two requests at once");
  mask(0xee);
  open_window();
  check(g_logged == 2 && g_log[0] == 0 && g_log[1] == 4, "the lower number first");
  mask(0xff);
  out8(kMaster, 0xc0);  // set priority: 0 is the lowest
  g_logged = 0;
  program_timer(0, 100);
  request_uart();
  wait_for_request(kMaster, 0x11);
  mask(0xee);
  open_window();
  check(g_logged == 2 && g_log[0] == 4 && g_log[1] == 0, "set priority: 4 before 0");
  out8(kMaster, 0xc7);
  // Rotation on EOI: whoever was served becomes the lowest.
  g_finish = kRotating;
  mask(0xff);
  g_logged = 0;
  program_timer(0, 100);
  wait_for_request(kMaster, 1);
  mask(0xfe);
  open_window();
  mask(0xff);
  program_timer(0, 100);
  request_uart();
  wait_for_request(kMaster, 0x11);
  mask(0xee);
  open_window();
  check(g_logged == 3 && g_log[1] == 4 && g_log[2] == 0, "rotate on EOI: 0 is the lowest after its turn");
  g_finish = kNonSpecific;
  out8(kMaster, 0xc7);
}

void test_modes() {
  // Special mask mode: a masked bit in ISR doesn't hold lower priorities back.
  mask(0xfe);
  g_finish = kNone;
  g_logged = 0;
  request_timer();
  open_window();
  out8(kMaster, 0x68);
  mask(0xef);
  request_uart();
  wait_for_request(kMaster, 0x10);
  open_window();
  check(g_logged == 2 && g_log[1] == 4, "special mask mode lets a lower priority in");
  out8(kMaster, 0x48);
  out8(kMaster, 0x64);
  out8(kMaster, 0x60);
  check_equal(read_isr(kMaster), 0, "and both are ended");
  // Poll: a read acknowledges.
  mask(0xff);
  program_timer(0, 100);
  wait_for_request(kMaster, 1);
  mask(0xfe);
  out8(kMaster, 0x0c);
  check_equal(in8(kMaster) & 0x87, 0x80, "poll: IRQ 0");
  check_equal(read_isr(kMaster), 1, "poll acknowledges it");
  out8(kMaster, 0x20);
  mask(0xff);
  out8(kMaster, 0x0c);
  check_equal(in8(kMaster) & 0x80, 0, "poll: nothing");
  // Automatic EOI.
  out8(kMaster, 0x11);
  out8(0x21, kPicVectors);
  out8(0x21, 4);
  out8(0x21, 3);
  mask(0xfe);
  g_logged = 0;
  request_timer();
  open_window();
  check(g_logged == 1 && g_isr_seen == 0, "automatic EOI: ISR is empty in the handler");
  start_pics();
  g_finish = kNonSpecific;
}

void test_slave() {
  start_pics();
  g_logged = 0;
  request_rtc();
  check(wait_for_request(kSlave, 1), "the slave has IRQ 8");
  mask(0xff, 0xfe);
  check(wait_for_request(kMaster, 4), "the master has IRQ 2 by it");
  mask(0xfb, 0xfe);
  open_window();
  check(g_logged >= 1 && g_log[0] == 8, "IRQ 8 comes with the slave's vector");
  check_equal(g_isr_seen, 4, "the master's ISR in its handler");
  check_equal(g_slave_isr_seen, 1, "the slave's ISR in its handler");
  // Master masked at IRQ 2.
  mask(0xff, 0xfe);
  g_logged = 0;
  wait_for_request(kSlave, 1);
  open_window();
  check_equal(g_logged, 0, "the master's mask of IRQ 2 holds the slave back");
  // In order of the whole: 8 to 15 stand between 1 and 3.
  program_timer(0, 100);
  request_uart();
  wait_for_request(kMaster, 0x15);
  mask(0xea, 0xfe);
  open_window();
  // The clock may have asked again meanwhile.
  const u32 first = position(0), second = position(8), third = position(4);
  check(first < second && second < third && third < g_logged, "0, then 8, then 4");
  stop_rtc();
  mask(0xff);
  // Vectors follow ICW2.
  out8(kMaster, 0x11);
  out8(0x21, 0x38);
  out8(0x21, 4);
  out8(0x21, 1);
  static u32 moved;
  set_handler([](Frame& frame) {
    if (frame.vector != 0x38) return false;
    ++moved;
    out8(kMaster, 0x20);
    return true;
  });
  mask(0xfe);
  request_timer();
  open_window();
  check_equal(moved, 1, "ICW2 moves the vectors");
  start_pics();
}

}  // namespace

void guest_main() {
  set_handler(on_interrupt);
  test_registers();
  test_service();
  test_priorities();
  test_modes();
  test_slave();
}
