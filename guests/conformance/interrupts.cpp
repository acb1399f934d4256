// Guest: PIC and PIT interrupts, HLT, the shadows of STI and MOV SS, and who may be interrupted where.
#include "runtime/pic.h"

extern "C" {
struct [[gnu::packed]] {
  u32 offset;
  u16 selector;
} g_stack_pointer;
}

namespace {

constexpr u8 kMaster = kPicVectors, kSlave = kPicVectors + 8;
bool g_all_pended = true;
volatile u32 g_ticks;
volatile u32 g_where;  // EIP that the last tick interrupted
volatile u32 g_spurious;
u32 g_handler_flags, g_saved_flags, g_repeat_count;
bool g_stop_ticks;

void stop_timer() { out8(0x21, 0xff); }

bool on_interrupt(Frame& frame) {
  if (frame.vector == kMaster) {
    g_ticks = g_ticks + 1;
    g_where = frame.eip;
    g_handler_flags = read_eflags();
    g_saved_flags = frame.eflags;
    g_repeat_count = frame.ecx;
    if (g_stop_ticks) stop_timer();
    out8(0x20, 0x20);
    return true;
  }
  if (frame.vector > kMaster && frame.vector < kSlave + 8) {
    g_spurious = g_spurious + 1;
    out8(0x20, 0x20);
    return true;
  }
  return false;
}

// One request pends, IF is clear; false: it never came.
void make_pending() {
  g_ticks = 0;
  g_all_pended = request_timer() && g_all_pended;
}

extern "C" char sti_at[], sti_shadowed[], sti_after[], ss_after[], popf_after[], iret_after[];

void test_shadows() {
  g_stop_ticks = true;
  make_pending();
  asm volatile("sti\n sti_at: nop\n sti_shadowed: nop\n sti_after: nop\n cli" ::: "memory");
  check_equal(g_ticks, 1, "delivered after STI");
  check_equal(g_where, reinterpret_cast<u32>(sti_shadowed), "after the instruction that follows STI");
  make_pending();
  asm volatile("sti\n cli\n nop\n nop" ::: "memory");
  check_equal(g_ticks, 0, "STI; CLI lets nothing in");
  asm volatile("sti\n nop\n nop\n cli" ::: "memory");
  check_equal(g_ticks, 1, "and later it comes");
  make_pending();
  // STI while IF is set already gives no shadow: set IF by POPF, whose own boundary is open.
  asm volatile("pushfl\n orl $0x200, (%%esp)\n popfl\n popf_after: nop\n nop\n cli" ::: "memory");
  check_equal(g_where, reinterpret_cast<u32>(popf_after), "right after POPF");
  make_pending();
  asm volatile(
      "pushfl\n orl $0x200, (%%esp)\n pushl %%cs\n pushl $iret_after\n iretl\n iret_after: nop\n nop\n cli" ::
          : "memory");
  check_equal(g_where, reinterpret_cast<u32>(iret_after), "right after IRET");
  make_pending();
  asm volatile("movl %%ss, %%eax\n sti\n movl %%eax, %%ss\n nop\n ss_after: nop\n nop\n cli" ::
                   : "eax", "memory");
  check_equal(g_ticks, 1, "delivered after STI; MOV SS");
  check(g_where <= reinterpret_cast<u32>(ss_after), "within the two shadows' reach");
  check(g_all_pended, "the timer's requests pended");
}

extern "C" char sti2_after[], lss_after[], halt_after[], trap_after[], rep_here[];
void test_more_shadows() {
  g_stop_ticks = true;
  make_pending();
  asm volatile("sti\n sti\n sti2_after: nop\n nop\n cli" ::: "memory");
  check_equal(g_where, reinterpret_cast<u32>(sti2_after), "STI; STI: after the second");
  make_pending();
  g_stack_pointer.selector = kKernelData;
  asm volatile(
      "movl %%esp, g_stack_pointer\n sti\n lss g_stack_pointer, %%esp\n lss_after: nop\n nop\n cli" ::
          : "memory");
  check_equal(g_where, reinterpret_cast<u32>(lss_after), "STI; LSS: LSS has no shadow of its own");
  make_pending();
  asm volatile("sti\n hlt\n halt_after: nop\n cli" ::: "memory");
  check_equal(g_where, reinterpret_cast<u32>(halt_after), "STI; HLT with a request pending: after HLT");
  check_equal(g_ticks, 1, "STI; HLT: one");
  // An IRQ through a trap gate: IF stays set in its handler.
  const u64 gate = g_idt[kMaster];
  g_idt[kMaster] |= 1ull << 40;
  make_pending();
  g_handler_flags = 0;
  asm volatile("sti\n nop\n trap_after: nop\n cli" ::: "memory");
  g_idt[kMaster] = gate;
  check_equal(g_handler_flags & 0x200, 0x200, "IRQ by a trap gate: IF is set in the handler");
  make_pending();
  asm volatile("sti\n nop\n nop\n cli" ::: "memory");
  check_equal(g_handler_flags & 0x200, 0, "IRQ by an interrupt gate: IF is clear");
  check_equal(g_saved_flags & 0x10300, 0x200, "saved flags: IF, no TF, no RF");
}

// Between the rounds of a REP the saved EIP is the instruction, with RF (SDM vol. 3B 18.3.1.1).
void test_repeat() {
  g_stop_ticks = false;
  static u8 buffer[65536];
  program_timer(2, 1193);
  out8(0x21, 0xfe);
  bool caught = false, resume = true;
  for (u32 i = 0; i < 20000 && !caught; ++i) {
    u32 count = sizeof buffer;
    void* to = buffer;
    g_where = 0;
    asm volatile("sti\n nop\n rep_here: rep stosb\n cli" : "+c"(count), "+D"(to) : "a"(i) : "memory");
    if (g_where != reinterpret_cast<u32>(rep_here)) continue;
    // Before its first round it is an ordinary instruction.
    if (g_repeat_count == sizeof buffer) continue;
    caught = true;
    resume = (g_saved_flags & 0x10000) != 0;
  }
  stop_timer();
  // On a clock that counts instructions, none comes.
  const Requirement in_the_middle(caught, "no IRQ came in the middle");
  check(resume, "an IRQ in the middle of REP STOS: RF in its saved flags");
}

void test_halt() {
  g_stop_ticks = false;
  g_ticks = 0;
  program_timer(2, 11932);  // 100 Hz
  out8(0x21, 0xfe);
  for (u32 i = 0; i < 10; ++i) asm volatile("sti\n hlt\n cli" ::: "memory");
  check_equal(g_ticks, 10, "STI; HLT, ten times: one tick each");
  // A busy loop is interrupted too.
  g_ticks = 0;
  asm volatile("sti");
  for (u32 i = 0; i < 2000000000 && g_ticks < 5; ++i) asm volatile("" ::: "memory");
  asm volatile("cli");
  check(g_ticks >= 5, "a busy loop");
  g_ticks = 0;
  asm volatile("sti\n 1: movl %0, %%ecx\n 2: loop 2b\n cmpl $3, %1\n jb 1b\n cli" ::"i"(1000000), "m"(g_ticks)
               : "ecx", "memory", "cc");
  check(g_ticks >= 3, "LOOP to itself");
  // A long REP is interrupted in the middle, and finishes right.
  static u8 buffer[65536];
  g_ticks = 0;
  u32 rounds = 0;
  bool good = true;
  while (g_ticks < 5 && ++rounds < 1000000) {
    u32 count = sizeof buffer;
    void* to = buffer;
    asm volatile("sti\n rep stosb\n cli" : "+c"(count), "+D"(to) : "a"(rounds) : "memory");
    good = good && count == 0 && to == buffer + sizeof buffer && buffer[0] == static_cast<u8>(rounds) &&
           buffer[sizeof buffer - 1] == static_cast<u8>(rounds);
  }
  check(good && g_ticks >= 5, "REP STOS under interrupts");
  stop_timer();
}

SNIPPET(user_spin, "", "1: cmpl $2, g_user_ticks", "jb 1b\n int $0x80");
}  // namespace
extern "C" {
volatile u32 g_user_ticks;
}
namespace {

bool on_user_tick(Frame& frame) {
  if (frame.vector != kMaster) return false;
  g_user_ticks = g_user_ticks + ((frame.cs & 3) == 3 ? 1 : 0);
  out8(0x20, 0x20);
  return true;
}

void test_user() {
  set_handler(on_user_tick);
  program_timer(2, 11932);
  out8(0x21, 0xfe);
  const Caught c = run_user(user_spin, 0x202);
  check_caught(c, 0x80, 0, nullptr, "interrupts at CPL 3");
  stop_timer();
  set_handler(on_interrupt);
}

void test_masking() {
  g_stop_ticks = false;
  g_ticks = 0;
  out8(0x21, 0xff);
  program_timer(2, 1193);  // 1 kHz
  asm volatile("sti");
  for (u32 i = 0; i < 10000; ++i) in8(0x40);
  check_equal(g_ticks, 0, "a masked IRQ stays away");
  asm volatile("cli");
  // Frequency: 100 ticks of 1 kHz against counter 2... only that they come at all, and in service blocks.
  out8(0x21, 0xfe);
  g_ticks = 0;
  asm volatile("sti");
  while (g_ticks < 100) asm volatile("hlt" ::: "memory");
  asm volatile("cli");
  stop_timer();
  check(g_ticks >= 100, "100 ticks at 1 kHz");
  // Without EOI no second one comes.
  set_handler([](Frame& frame) {
    if (frame.vector != kMaster) return false;
    g_ticks = g_ticks + 1;
    return true;
  });
  g_ticks = 0;
  out8(0x21, 0xfe);
  asm volatile("sti");
  for (u32 i = 0; i < 10000000 && g_ticks == 0; ++i) in8(0x40);
  for (u32 i = 0; i < 20000; ++i) in8(0x40);
  asm volatile("cli");
  check_equal(g_ticks, 1, "no second interrupt before EOI");
  stop_timer();
  out8(0x20, 0x20);
  set_handler(on_interrupt);
}

}  // namespace

void guest_main() {
  start_pics();
  set_handler(on_interrupt);
  test_shadows();
  test_more_shadows();
  test_repeat();
  test_halt();
  test_user();
  test_masking();
}
