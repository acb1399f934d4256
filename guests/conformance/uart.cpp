// Guest: the 16550A at COM1, in its loopback mode: registers, FIFO, interrupts (PC16550D data sheet).
#include "runtime/pic.h"

namespace {

constexpr u16 kBase = 0x3f8;
enum Register : u16 {
  kData = 0,
  kIer = 1,
  kIir = 2,
  kFcr = 2,
  kLcr = 3,
  kMcr = 4,
  kLsr = 5,
  kMsr = 6,
  kScratch = 7
};

u8 get(u16 reg) { return in8(static_cast<u16>(kBase + reg)); }
void put(u16 reg, u8 value) { out8(static_cast<u16>(kBase + reg), value); }
u8 g_lsr_seen;  // since it was last set to 0: a read of LSR clears its errors
bool wait_lsr(u8 bits) {
  for (u32 i = 0; i < 1000000; ++i) {
    const u8 lsr = get(kLsr);
    g_lsr_seen |= lsr;
    if ((lsr & bits) == bits) return true;
  }
  return false;
}
void drain() {
  for (u32 i = 0; i < 64 && (get(kLsr) & 1) != 0; ++i) get(kData);
}

void test_registers() {
  put(kScratch, 0x5a);
  check_equal(get(kScratch), 0x5a, "scratch register");
  put(kScratch, 0xa5);
  check_equal(get(kScratch), 0xa5, "scratch register, again");
  put(kLcr, 0x1f);
  check_equal(get(kLcr), 0x1f, "LCR");
  put(kLcr, 0x83);
  put(kData, 0x0c);
  put(kIer, 0x01);
  check(get(kData) == 0x0c && get(kIer) == 0x01, "DLAB: the divisor");
  put(kData, 1);
  put(kIer, 0);
  put(kLcr, 3);
  put(kIer, 0xff);
  check_equal(get(kIer), 0x0f, "IER has 4 bits");
  put(kIer, 0);
  check_equal(get(kLcr), 3, "LCR after DLAB");
  put(kFcr, 0);
  check_equal(get(kIir) & 0xc1, 0x01, "IIR without FIFOs: nothing pending");
  put(kFcr, 7);
  check_equal(get(kIir) & 0xc1, 0xc1, "IIR with FIFOs");
  check_equal(get(kLsr) & 0x60, 0x60, "LSR: transmitter empty");
}

void test_modem() {
  put(kMcr, 0x10);
  get(kMsr);
  check_equal(get(kMsr), 0, "loopback: MSR is clear");
  static constexpr u8 kOut[] = {1, 2, 4, 8}, kIn[] = {0x20, 0x10, 0x40, 0x80}, kDelta[] = {2, 1, 0, 8};
  static const char* const names[] = {"loopback: DTR is DSR", "loopback: RTS is CTS", "loopback: OUT1 is RI",
                                      "loopback: OUT2 is DCD"};
  for (u32 i = 0; i < 4; ++i) {
    put(kMcr, static_cast<u8>(0x10 | kOut[i]));
    const u8 first = get(kMsr), second = get(kMsr);
    check(first == (kIn[i] | kDelta[i]) && second == kIn[i], names[i]);
    put(kMcr, 0x10);
    get(kMsr);
  }
  put(kMcr, 0x14);
  get(kMsr);
  put(kMcr, 0x10);
  check_equal(get(kMsr), 4, "the end of RI is a change (TERI)");
  put(kMcr, 0xff);
  check_equal(get(kMcr), 0x1f, "MCR has 5 bits");
  put(kMcr, 0x10);
  get(kMsr);
}

void test_data() {
  drain();
  put(kData, 0x5a);
  check(wait_lsr(1), "loopback: what is sent is received");
  check_equal(get(kData), 0x5a, "loopback: the byte");
  check_equal(get(kLsr) & 1, 0, "LSR.DR is clear after the read");
  for (u8 i = 0; i < 8; ++i) {
    put(kData, static_cast<u8>(0x30 + i));
    wait_lsr(0x60);
  }
  bool good = true;
  for (u8 i = 0; i < 8; ++i) good = good && wait_lsr(1) && get(kData) == 0x30 + i;
  check(good, "FIFO: 8 bytes in their order");
  put(kData, 0x77);
  wait_lsr(1);
  put(kFcr, 3);
  check_equal(get(kLsr) & 1, 0, "FCR clears the receiver");
  put(kFcr, 0);
  g_lsr_seen = 0;
  for (u8 i = 0; i < 2; ++i) {
    put(kData, static_cast<u8>(0x40 + i));
    wait_lsr(0x61);
  }
  check_equal(g_lsr_seen & 2, 2, "overrun without FIFOs");
  check_equal(get(kLsr) & 2, 0, "a read of LSR clears it");
  check_equal(get(kData), 0x41, "the later byte is kept");
  put(kFcr, 7);
}

u32 g_count, g_iir;
bool g_read_data;
bool on_interrupt(Frame& frame) {
  if (frame.vector != kPicVectors + 4) return false;
  ++g_count;
  g_iir = get(kIir);
  if (g_read_data) get(kData);
  end_of_interrupt(4);
  return true;
}
void open_window() { asm volatile("sti\n nop\n nop\n nop\n cli" ::: "memory"); }

void test_identification() {
  put(kFcr, 0);
  put(kIer, 2);
  check_equal(get(kIir), 2, "IIR: transmitter empty");
  check_equal(get(kIir), 1, "a read of IIR ends it");
  put(kIer, 0);
  put(kIer, 2);
  check_equal(get(kIir), 2, "IER turned on again: once more");
  put(kData, 0x11);
  wait_lsr(0x61);
  put(kIer, 1);
  check_equal(get(kIir), 4, "IIR: data");
  check_equal(get(kIir), 4, "which a read of IIR doesn't end");
  put(kIer, 3);
  check_equal(get(kIir), 4, "data before transmitter empty");
  get(kData);
  check_equal(get(kIir), 2, "then the transmitter");
  put(kIer, 8);
  put(kMcr, 0x11);
  check_equal(get(kIir), 0, "IIR: modem status");
  get(kMsr);
  check_equal(get(kIir), 1, "a read of MSR ends it");
  put(kMcr, 0x10);
  get(kMsr);
  put(kIer, 4);
  put(kData, 1);
  wait_lsr(0x60);
  put(kData, 2);
  for (u32 i = 0; i < 1000 && get(kIir) == 1; ++i) {
  }
  check_equal(get(kIir), 6, "IIR: line status, by an overrun");
  get(kLsr);
  check_equal(get(kIir), 1, "a read of LSR ends it");
  drain();
  put(kIer, 0);
  check_equal(get(kIir), 1, "nothing is enabled: nothing pends");
}

// In loopback mode OUT2 is taken inside, so that the line is free: the transmitter's interrupt is for
// outside.
void test_interrupts() {
  start_pics();
  set_handler(on_interrupt);
  put(kFcr, 0);
  put(kIer, 0);
  put(kMcr, 0x08);
  out8(0x21, 0xef);
  put(kIer, 2);
  open_window();
  check_equal(g_count, 1, "IRQ 4: transmitter empty");
  check_equal(g_iir, 2, "IRQ 4: IIR in its handler");
  open_window();
  check_equal(g_count, 1, "IRQ 4: once");
  put(kIer, 0);
  put(kMcr, 0);
  put(kIer, 2);
  open_window();
  check_equal(g_count, 1, "not without OUT2");
  put(kIer, 0);
  out8(0x21, 0xff);
  set_handler(nullptr);
}

}  // namespace

void guest_main() {
  out8(0x21, 0xff);
  test_registers();
  test_modem();
  test_data();
  test_identification();
  test_interrupts();
  put(kMcr, 3);
}
