// Guest: the local APIC and the I/O APIC: registers, priorities, timer, IPIs, errors, routing (SDM vol. 3A
// 11).
#include "runtime/apic.h"

#include "runtime/pic.h"

namespace {

u32 g_log[16], g_logged;
bool g_eoi_in_handler = true;
u32 g_in_service;  // ISR of the vector, as its handler saw it

bool on_interrupt(Frame& frame) {
  const bool illegal = frame.vector == 5 || frame.vector == 6;  // QEMU delivers what test_errors() sends
  if ((frame.vector < 0x30 && !illegal) || frame.vector == 0x80) return false;
  if (g_logged < 16) g_log[g_logged++] = frame.vector;
  g_in_service = apic_bit(kApicInService, frame.vector) ? 1 : 0;
  if (g_eoi_in_handler) apic(kApicEoi) = 0;
  return true;
}
void open_window() { asm volatile("sti\n nop\n nop\n cli" ::: "memory"); }
void send(u32 vector) { apic(kApicCommandLow) = kApicToSelf | 0x4000 | vector; }

void test_registers() {
  const u64 base = read_msr(0x1b);
  check_equal(static_cast<u32>(base) & 0xfffff000, 0xfee00000, "IA32_APIC_BASE: address");
  check_equal(static_cast<u32>(base) & 0x900, 0x900, "IA32_APIC_BASE: enabled, boot processor");
  const u32 version = apic(kApicVersion);
  check((version & 0xf0) == 0x10 && (version >> 16 & 0xff) >= 3, "version and number of LVT entries");
  apic(kApicSpurious) = 0x1ff;
  check_equal(apic(kApicSpurious) & 0x1ff, 0x1ff, "software enable");
  apic(kApicLogicalDestination) = 0xa5ffffff;
  check_equal(apic(kApicLogicalDestination), 0xa5000000, "LDR has 8 bits");
  apic(kApicDestinationFormat) = 0xf0000000;
  check_equal(apic(kApicDestinationFormat), 0xffffffff, "DFR: flat, the rest ones");
  apic(kApicTaskPriority) = 0x35;
  check_equal(apic(kApicTaskPriority), 0x35, "TPR");
  check_equal(apic(kApicProcessorPriority), 0x35, "PPR is TPR when nothing is in service");
  apic(kApicTaskPriority) = 0;
  apic(kApicLvtError) = 0xffffffff;
  check_equal(apic(kApicLvtError) & 0xfffff8ff, 0x000100ff, "LVT error: vector and mask");
  apic(kApicLvtTimer) = 0x10040;
  apic(kApicLvtError) = 0x41;
  apic(kApicSpurious) = 0xff;
  check_equal(apic(kApicLvtError) & kApicMasked, kApicMasked, "software disable masks the LVT");
  apic(kApicLvtError) = 0x41;
  check_equal(apic(kApicLvtError) & kApicMasked, kApicMasked, "which can't be unmasked then");
  apic(kApicSpurious) = 0x1ff;
  apic(kApicLvtError) = 0x10041;
}

void test_ipis() {
  g_logged = 0;
  send(0x61);
  check(apic_bit(kApicRequested, 0x61), "a self-IPI is in IRR");
  check_equal(g_logged, 0, "and waits for IF");
  open_window();
  check_equal(g_logged == 1 ? g_log[0] : 0, 0x61, "then it comes");
  check_equal(g_in_service, 1, "in ISR during its handler");
  check(!apic_bit(kApicRequested, 0x61) && !apic_bit(kApicInService, 0x61), "in neither after EOI");
  g_logged = 0;
  send(0x55);
  send(0x95);
  send(0x75);
  open_window();
  check(g_logged == 3 && g_log[0] == 0x95 && g_log[1] == 0x75 && g_log[2] == 0x55,
        "the highest vector first");
  g_logged = 0;
  send(0x55);
  send(0x55);
  open_window();
  check_equal(g_logged, 1, "two of one vector are one");
  apic(kApicTaskPriority) = 0x60;
  g_logged = 0;
  send(0x65);
  open_window();
  check_equal(g_logged, 0, "TPR holds its own class back");
  send(0x70);
  open_window();
  check_equal(g_logged == 1 ? g_log[0] : 0, 0x70, "and lets a higher one in");
  apic(kApicTaskPriority) = 0x50;
  open_window();
  check_equal(g_logged == 2 ? g_log[1] : 0, 0x65, "a lower TPR lets the other in");
  apic(kApicTaskPriority) = 0;
  // Without EOI, no other of the same class comes.
  g_eoi_in_handler = false;
  g_logged = 0;
  send(0x68);
  open_window();
  check_equal(apic(kApicProcessorPriority), 0x60, "PPR is the class in service");
  send(0x6f);
  open_window();
  check_equal(g_logged, 1, "the same class waits for EOI");
  send(0x71);
  open_window();
  check_equal(g_logged, 2, "a higher class doesn't");
  g_eoi_in_handler = true;
  apic(kApicEoi) = 0;
  check(!apic_bit(kApicInService, 0x71) && apic_bit(kApicInService, 0x68), "EOI ends the highest in service");
  apic(kApicEoi) = 0;
  open_window();
  check_equal(g_logged == 3 ? g_log[2] : 0, 0x6f, "EOI lets the waiting one in");
  // By physical and logical destination.
  g_logged = 0;
  apic(kApicCommandHigh) = apic_id() << 24;
  apic(kApicCommandLow) = 0x4062;
  open_window();
  check_equal(g_logged, 1, "an IPI to its own ID");
  apic(kApicLogicalDestination) = 0x04000000;
  apic(kApicCommandHigh) = 0x04000000;
  apic(kApicCommandLow) = 0x4863;
  open_window();
  check_equal(g_logged, 2, "an IPI to its logical destination");
  apic(kApicCommandHigh) = 0x02000000;
  apic(kApicCommandLow) = 0x4864;
  open_window();
  check_equal(g_logged, 2, "an IPI to another logical destination");
  apic(kApicCommandLow) = 0xc4065;
  open_window();
  check_equal(g_logged, 2, "all but self is nobody");
  apic(kApicCommandLow) = 0x84066;
  open_window();
  check_equal(g_logged, 3, "all, with self");
  check_equal(apic(kApicCommandLow) & 0x1000, 0, "delivery status is idle");
}

void test_errors() {
  apic(kApicErrorStatus) = 0;
  apic(kApicErrorStatus) = 0;
  check_equal(apic(kApicErrorStatus), 0, "ESR is clear");
  send(5);
  apic(kApicErrorStatus) = 0;
  check_equal(apic(kApicErrorStatus) & 0x20, 0x20, "ESR: an illegal vector was sent");
  apic(kApicErrorStatus) = 0;
  apic(kApicErrorStatus) = 0;
  check_equal(apic(kApicErrorStatus), 0, "ESR is clear again after two writes");
  apic(kApicLvtError) = 0x66;
  g_logged = 0;
  send(6);
  open_window();
  check_equal(g_logged == 1 ? g_log[0] : 0, 0x66, "the error interrupt");
  apic(kApicLvtError) = 0x10066;
  apic(kApicErrorStatus) = 0;
}

bool wait_for_log(u32 count) {
  for (u32 i = 0; i < 20000000 && g_logged < count; ++i) open_window();
  return g_logged >= count;
}

void test_timer() {
  g_logged = 0;
  apic(kApicTimerDivide) = 3;  // by 16
  apic(kApicLvtTimer) = 0x67;
  apic(kApicTimerInitial) = 0xffffffff;
  const u32 first = apic(kApicTimerCurrent);
  u32 last = first;
  for (u32 i = 0; i < 1000000 && last == first; ++i) last = apic(kApicTimerCurrent);
  check(first > last, "the timer counts down");
  check_equal(apic(kApicTimerInitial), 0xffffffff, "the initial count is kept");
  apic(kApicTimerInitial) = 0;
  check_equal(apic(kApicTimerCurrent), 0, "an initial count of 0 stops it");
  apic(kApicTimerInitial) = 1000;
  check(wait_for_log(1), "one-shot: it comes");
  for (u32 i = 0; i < 1000; ++i) open_window();
  check_equal(g_logged, 1, "one-shot: once");
  check_equal(apic(kApicTimerCurrent), 0, "one-shot: then the count is 0");
  g_logged = 0;
  apic(kApicLvtTimer) = kApicPeriodic | 0x68;
  apic(kApicTimerInitial) = 50000;
  check(wait_for_log(3), "periodic: again and again");
  apic(kApicLvtTimer) = kApicMasked | kApicPeriodic | 0x68;
  open_window();
  g_logged = 0;
  apic(kApicTimerInitial) = 100;
  for (u32 i = 0; i < 1000; ++i) open_window();
  check_equal(g_logged, 0, "masked: not at all");
  apic(kApicTimerInitial) = 0;
  check_equal(apic(kApicTimerDivide), 3, "the divide configuration is kept");
}

void test_disabled() {
  g_logged = 0;
  apic(kApicSpurious) = 0xff;
  send(0x69);
  open_window();
  check_equal(g_logged, 0, "software disabled: no fixed interrupts");
  apic(kApicSpurious) = 0x1ff;
  open_window();
  check_equal(g_logged, 0, "and none is remembered");
}

void test_io_apic() {
  check_equal(read_io_apic(1) >> 16 & 0xff, 23, "I/O APIC: 24 entries");
  const u32 id = read_io_apic(0);
  write_io_apic(0, 0x05000000);
  check_equal(read_io_apic(0) & 0x0f000000, 0x05000000, "I/O APIC: ID");
  write_io_apic(0, id);
  write_io_apic(0x10 + 2 * 20, 0x00010071);
  write_io_apic(0x11 + 2 * 20, 0xab000000);
  check_equal(read_io_apic(0x10 + 2 * 20), 0x00010071, "I/O APIC: low half of an entry");
  check_equal(read_io_apic(0x11 + 2 * 20), 0xab000000, "I/O APIC: high half of an entry");
  write_io_apic(0x10 + 2 * 20, 0x00015071);
  check_equal(read_io_apic(0x10 + 2 * 20) & 0x5000, 0, "I/O APIC: status and remote IRR are read-only");
  write_io_apic(0x10 + 2 * 20, 0x00010000);
  // The PIT is at pin 2 on a PC with ACPI's usual override, at pin 0 otherwise.
  for (u32 pin = 0; pin <= 2; pin += 2) {
    write_io_apic(0x11 + 2 * pin, apic_id() << 24);
    write_io_apic(0x10 + 2 * pin, 0x72);
  }
  g_logged = 0;
  program_timer(0, 100);
  check(wait_for_log(1), "I/O APIC: the PIT's interrupt comes");
  check_equal(g_log[0], 0x72, "I/O APIC: with the entry's vector");
  for (u32 pin = 0; pin <= 2; pin += 2) write_io_apic(0x10 + 2 * pin, kApicMasked | 0x72);
  g_logged = 0;
  program_timer(0, 100);
  wait_for_timer();
  for (u32 i = 0; i < 100; ++i) open_window();
  check_equal(g_logged, 0, "I/O APIC: not through a masked entry");
  for (u32 pin = 0; pin <= 2; pin += 2) write_io_apic(0x10 + 2 * pin, 0x73);
  for (u32 i = 0; i < 100; ++i) open_window();
  check_equal(g_logged, 0, "I/O APIC: an edge at a masked entry is lost");
  for (u32 pin = 0; pin <= 2; pin += 2) write_io_apic(0x10 + 2 * pin, kApicMasked);
}

}  // namespace

void guest_main() {
  if (!has_feature(kFeatureApic)) skip_guest("no APIC");
  start_pics();
  set_handler(on_interrupt);
  test_registers();
  test_ipis();
  test_errors();
  test_timer();
  test_disabled();
  test_io_apic();
}
