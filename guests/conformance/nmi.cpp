// Guest: NMI: when it comes, what it saves, and how long it blocks itself (SDM vol. 3A 6.7, 6.8.3).
#include "runtime/apic.h"

#include "runtime/pic.h"

namespace {

u32 g_count, g_where, g_flags, g_depth, g_deepest, g_in_handler;
enum Action { kNothing, kSendAnother, kSendTwo, kSendAndFault };
Action g_action;

SNIPPET(send_here, "movl 4(%esp), %ebx", "movl $0x4400, (%ebx)", "nop\n nop");
SNIPPET(send_before_shadow, "movl 4(%esp), %ebx\n movl %ss, %eax", "movl $0x4400, (%ebx)\n movl %eax, %ss",
        "nop\n nop");

extern "C" char after_halt[];
void send_now() { apic(kApicCommandLow) = kApicNmi | 0x4000; }
void spin() {
  for (u32 i = 0; i < 100; ++i) asm volatile("" ::: "memory");
}

bool on_nmi(Frame& frame) {
  if (frame.vector == 0x44) return true;  // an INT in an NMI handler: its IRET ends the blocking
  if (frame.vector != 2) return false;
  ++g_count;
  g_where = frame.eip;
  g_flags = frame.eflags;
  ++g_depth;
  if (g_depth > g_deepest) g_deepest = g_depth;
  const Action action = g_action;
  g_action = kNothing;
  if (action != kNothing) send_now();
  if (action == kSendTwo) send_now();
  spin();
  if (action != kNothing) g_in_handler = g_count;
  if (action == kSendAndFault) {
    asm volatile("int $0x44");
    spin();
    g_in_handler = g_count;
  }
  --g_depth;
  return true;
}

void reset(Action action) {
  g_count = g_depth = g_deepest = g_in_handler = 0;
  g_action = action;
}
constexpr u32 kCommand = 0xfee00300;

void test_delivery() {
  reset(kNothing);
  check_none(run(send_here, kCommand), "NMI with IF clear");
  check_equal(g_count, 1, "it came");
  check(g_where >= reinterpret_cast<u32>(send_here_next), "after the instruction that sent it");
  check_equal(g_flags & 0x10200, 0, "saved flags: IF and RF clear");
  reset(kNothing);
  run(send_before_shadow, kCommand);
  check_equal(g_count, 1, "NMI around MOV SS");
  check(g_where != reinterpret_cast<u32>(send_before_shadow_next), "not right after MOV SS");
  reset(kNothing);
  asm volatile("sti");
  send_now();
  spin();
  asm volatile("cli");
  check_equal(g_count, 1, "NMI with IF set");
  check_equal(read_eflags() & 0x200, 0, "flags after it");
}

void test_blocking() {
  reset(kSendAnother);
  send_now();
  spin();
  check_equal(g_in_handler, 1, "an NMI in its handler waits");
  check_equal(g_count, 2, "until IRET");
  check_equal(g_deepest, 1, "so that handlers don't nest");
  reset(kSendTwo);
  send_now();
  spin();
  check_equal(g_count, 2, "two that wait are one");
  reset(kSendAndFault);
  send_now();
  spin();
  check_equal(g_in_handler, 2, "an IRET inside the handler ends the blocking");
  check_equal(g_deepest, 2, "so that they nest then");
}

// The PIT by the I/O APIC, whose entry says NMI (as the kernel's NMI watchdog does).
void test_halt() {
  reset(kNothing);
  start_pics();
  for (u32 pin = 0; pin <= 2; pin += 2) {
    write_io_apic(0x11 + 2 * pin, apic_id() << 24);
    write_io_apic(0x10 + 2 * pin, kApicNmi);
  }
  program_timer(0, 20000);
  asm volatile("cli\n hlt\n .globl after_halt\n after_halt: nop" ::: "memory");
  check_equal(g_count, 1, "NMI ends HLT with IF clear");
  check_equal(g_where, reinterpret_cast<u32>(after_halt), "and saves what follows HLT");
  for (u32 pin = 0; pin <= 2; pin += 2) write_io_apic(0x10 + 2 * pin, kApicMasked);
}

}  // namespace

void guest_main() {
  if (!has_feature(kFeatureApic)) skip_guest("no APIC");
  set_handler(on_nmi);
  apic(kApicSpurious) = 0x1ff;
  apic(kApicCommandHigh) = apic_id() << 24;
  test_delivery();
  test_blocking();
  test_halt();
}
