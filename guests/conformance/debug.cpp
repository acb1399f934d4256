// Guest: debug registers and single step: breakpoints on code, data and I/O, DR6, RF, TF (SDM vol.
// 3B 18.2, 18.3).
#include "runtime/runtime.h"

namespace {

constexpr u32 kRf = 0x10000, kTf = 0x100, kDr7 = 0x400;
enum Type : u32 { kExecute = 0, kWrite = 1, kPort = 2, kReadWrite = 3 };
enum Length : u32 { kOne = 0, kTwo = 1, kFour = 3 };

SNIPPET(plain, "nop", "nop", "nop");
SNIPPET(store4, "movl 4(%esp), %ebx\n movl $7, %eax", "movl %eax, (%ebx)", "nop");
SNIPPET(store2, "movl 4(%esp), %ebx", "movw %ax, (%ebx)", "nop");
SNIPPET(store1, "movl 4(%esp), %ebx", "movb %al, (%ebx)", "nop");
SNIPPET(load4, "movl 4(%esp), %ebx", "movl (%ebx), %eax", "nop");
SNIPPET(modify4, "movl 4(%esp), %ebx", "addl $1, (%ebx)", "nop");
SNIPPET(push4, "movl %esp, %ecx\n movl 4(%esp), %esp", "pushl %eax", "movl %ecx, %esp\n nop");
SNIPPET(copy_string, "movl 4(%esp), %edi\n movl $g_debug_source, %esi\n movl $8, %ecx", "rep movsb", "nop");
SNIPPET(in_byte, "movl 4(%esp), %edx", "inb %dx, %al", "nop");
SNIPPET(out_byte, "movl 4(%esp), %edx", "outb %al, %dx", "nop");
SNIPPET(in_word, "movl 4(%esp), %edx", "inw %dx, %ax", "nop");
SNIPPET(after_ss, "movl %ss, %eax", "movl %eax, %ss\n .globl after_ss_second\n after_ss_second: nop",
        "nop\n nop");
SNIPPET(resume, "pushfl\n orl $0x10000, (%esp)\n pushl %cs\n pushl $resume_at\n iretl", "nop", "nop");
SNIPPET(resume_twice,
        "movl $2, %ecx\n pushfl\n orl $0x10000, (%esp)\n pushl %cs\n pushl $resume_twice_at\n iretl",
        "decl %ecx", "jnz resume_twice_at");
SNIPPET(step_int, "pushfl\n orl $0x100, (%esp)\n popfl", "int $0x43", "nop");
SNIPPET(step_iret, "pushfl\n orl $0x100, (%esp)\n pushl %cs\n pushl $step_iret_at\n iretl", "nop", "nop");
SNIPPET(step_pushf, "pushfl\n orl $0x100, (%esp)\n popfl", "pushfl", "popl %eax\n movl %eax, g_debug_word");
SNIPPET(step_branch, "pushfl\n orl $0x100, (%esp)\n popfl",
        "jmp 1f\n nop\n .globl step_branch_target\n"
        "step_branch_target: 1: nop",
        "nop");
SNIPPET(step_off, "pushfl\n orl $0x100, (%esp)\n pushfl\n popl %eax\n popfl", "pushl %eax\n popfl",
        "nop\n nop");
SNIPPET(int3_here, "", "int3", "");
SNIPPET(get_dr4, "", "movl %dr4, %eax", "");
SNIPPET(get_dr5, "", "movl %dr5, %eax", "");
SNIPPET(get_dr7, "", "movl %dr7, %eax", "");
SNIPPET(user_plain, "nop", "nop", "int $0x80");
SNIPPET(user_get_dr7, "", "movl %dr7, %eax", "int $0x80");
SNIPPET(user_store, "", "movl %eax, g_debug_word", "int $0x80");

u32 address(const volatile void* p) { return reinterpret_cast<u32>(p); }

void write_dr(u32 n, u32 value) {
  if (n == 0) write_dr0(value);
  if (n == 1) write_dr1(value);
  if (n == 2) write_dr2(value);
  if (n == 3) write_dr3(value);
}
// Arms breakpoint n globally, runs, disarms. The others point elsewhere, because DR6 may name breakpoints
// that match and aren't enabled (SDM vol. 3B 18.2.3).
Caught watch(u32 n, u32 at, Type type, Length length, void (*code)(u32), u32 argument = 0) {
  for (u32 i = 0; i < 4; ++i) write_dr(i, i == n ? at : 0);
  write_dr6(0);
  write_dr7(kDr7 | 2u << (2 * n) | (type | length << 2) << (16 + 4 * n));
  const Caught c = run(code, argument);
  write_dr7(kDr7);
  return c;
}

}  // namespace

extern "C" {
alignas(16) u8 g_debug_area[64];
u32 g_debug_word;
extern const u8 g_debug_source[8];
const u8 g_debug_source[8] = {1, 2, 3, 4, 5, 6, 7, 8};
extern char after_ss_second[], step_branch_target[];
}

namespace {

u32 area(u32 offset) { return address(g_debug_area) + offset; }

void test_code() {
  for (u32 n = 0; n < 4; ++n) {
    static const char* const names[] = {"code breakpoint by DR0", "code breakpoint by DR1",
                                        "code breakpoint by DR2", "code breakpoint by DR3"};
    const Caught c = watch(n, address(plain_at), kExecute, kOne, plain);
    check(c.any && c.vector == 1 && c.eip == address(plain_at) && (c.dr6 & 0xe00f) == 1u << n, names[n]);
  }
  write_dr7(kDr7 | 1);  // local
  write_dr0(address(plain_at));
  check_caught(run(plain), 1, 0, plain_at, "a local breakpoint");
  write_dr7(kDr7);
  check_none(run(plain), "a breakpoint that isn't enabled");
  check_none(watch(0, address(store4_at) + 1, kExecute, kOne, store4, area(0)),
             "not on an instruction's second byte");
  check_none(watch(0, address(resume_at), kExecute, kOne, resume), "IRET with RF passes the breakpoint once");
  Caught c = watch(0, address(resume_twice_at), kExecute, kOne, resume_twice);
  check_caught(c, 1, 0, resume_twice_at, "the second time it comes");
  check_equal(c.frame.ecx, 1, "after one round");
  check_none(watch(0, address(after_ss_second), kExecute, kOne, after_ss), "not right after MOV SS");
  c = watch(0, address(int3_here_at), kExecute, kOne, int3_here);
  check_caught(c, 1, 0, int3_here_at, "before INT3");
  write_dr0(address(user_plain_at));
  write_dr7(kDr7 | 2);
  c = run_user(user_plain);
  write_dr7(kDr7);
  check_caught(c, 1, 0, user_plain_at, "code breakpoint at CPL 3");
  check_equal(c.cs, kUserCode, "its CS");
}

void test_data() {
  check_caught(watch(0, area(0), kWrite, kFour, store4, area(0)), 1, 0, store4_next, "write, 4 bytes");
  check_caught(watch(0, area(0), kWrite, kFour, store1, area(3)), 1, 0, store1_next, "a byte of 4");
  check_none(watch(0, area(0), kWrite, kFour, store1, area(4)), "the byte after 4");
  check_caught(watch(0, area(4), kWrite, kFour, store4, area(1)), 1, 0, store4_next, "an overlap from below");
  check_caught(watch(0, area(4), kWrite, kOne, store4, area(4)), 1, 0, store4_next, "1 byte in a store of 4");
  check_none(watch(0, area(3), kWrite, kOne, store4, area(4)), "1 byte before a store");
  check_caught(watch(0, area(2), kWrite, kTwo, store1, area(3)), 1, 0, store1_next, "2 bytes");
  check_none(watch(0, area(2), kWrite, kTwo, store1, area(4)), "past 2 bytes");
  check_none(watch(0, area(0), kWrite, kFour, load4, area(0)), "a load passes a write breakpoint");
  check_caught(watch(0, area(0), kReadWrite, kFour, load4, area(0)), 1, 0, load4_next, "a load, read-write");
  check_caught(watch(0, area(0), kReadWrite, kFour, store4, area(0)), 1, 0, store4_next,
               "a store, read-write");
  check_caught(watch(0, area(0), kWrite, kFour, modify4, area(0)), 1, 0, modify4_next, "read-modify-write");
  check_caught(watch(0, area(12), kWrite, kFour, push4, area(16)), 1, 0, push4_next, "PUSH");
  check_none(watch(0, address(store4_at), kReadWrite, kFour, store4, area(0)),
             "a fetch passes data breakpoints");
  Caught c = watch(0, area(18), kWrite, kOne, copy_string, area(16));
  check_caught(c, 1, 0, copy_string_at, "REP MOVS: after the element");
  check_equal(c.frame.ecx, 5, "REP MOVS: five are left");
  write_dr1(area(0));
  write_dr2(area(0));
  write_dr6(0);
  write_dr7(kDr7 | 0x8 | (kWrite | kFour << 2) << 20 | (kWrite | kFour << 2) << 24);
  c = run(store4, area(0));
  write_dr7(kDr7);
  check_caught(c, 1, 0, store4_next, "one of two breakpoints is enabled");
  check_equal(c.dr6 & 2, 2, "DR6 has the enabled one's bit");
}

void test_ports() {
  const Requirement de(has_feature(kFeatureDe), "no DE");
  if (!skipping()) write_cr4(read_cr4() | 8);
  check_caught(watch(0, 0x80, kPort, kOne, out_byte, 0x80), 1, 0, out_byte_next, "I/O breakpoint: OUT");
  check_caught(watch(1, 0x80, kPort, kOne, in_byte, 0x80), 1, 0, in_byte_next, "I/O breakpoint: IN");
  check_none(watch(0, 0x81, kPort, kOne, in_byte, 0x80), "I/O breakpoint: another port");
  check_caught(watch(0, 0x81, kPort, kOne, in_word, 0x80), 1, 0, in_word_next,
               "I/O breakpoint: a word's second port");
  check_caught(watch(0, 0x80, kPort, kFour, in_byte, 0x83), 1, 0, in_byte_next, "I/O breakpoint: 4 ports");
  check_none(watch(0, 0x80, kPort, kFour, in_byte, 0x84), "I/O breakpoint: past 4 ports");
  check_caught(run(get_dr4), 6, 0, get_dr4_at, "#UD: DR4 with CR4.DE");
  check_caught(run(get_dr5), 6, 0, get_dr5_at, "#UD: DR5 with CR4.DE");
  if (!skipping()) write_cr4(read_cr4() & ~8u);
  write_dr7(kDr7 | 0x100);
  u32 alias;
  asm volatile("movl %%dr5, %0" : "=r"(alias));
  check_equal(alias, kDr7 | 0x100, "DR5 is DR7 without CR4.DE");
  write_dr6(0);
  asm volatile("movl %%dr4, %0" : "=r"(alias));
  check_equal(alias & 0xffff0fff, 0xffff0ff0, "DR4 is DR6 without CR4.DE");
  write_dr7(kDr7);
}

void test_registers() {
  write_dr0(0x12345678);
  write_dr3(0x9abcdef0);
  check_equal(read_dr0(), 0x12345678, "DR0 is kept");
  check_equal(read_dr3(), 0x9abcdef0, "DR3 is kept");
  write_dr6(0);
  check_equal(read_dr6() & 0xffff0fff, 0xffff0ff0, "DR6's bits that are always 1");
  write_dr6(0xffffffff);
  check_equal(read_dr6() & 0xe00f, 0xe00f, "DR6's bits that can be set");
  write_dr6(0);
  write_dr7(0);
  check_equal(read_dr7(), kDr7, "DR7's bit 10 is always 1");
  write_dr7(kDr7 | 0x300);
  check_equal(read_dr7(), kDr7 | 0x300, "DR7.LE and GE");
  write_dr7(kDr7);
  // DR6 isn't cleared by the processor.
  write_dr0(address(plain_at));
  write_dr6(8);
  write_dr7(kDr7 | 2);
  const Caught c = run(plain);
  write_dr7(kDr7);
  check_equal(c.dr6 & 1, 1, "DR6.B0 of the breakpoint");
  write_dr6(0);
  write_dr7(kDr7 | 0x2000);
  Caught general = run(get_dr7);
  check_caught(general, 1, 0, get_dr7_at, "DR7.GD: a fault at the MOV");
  check_equal(general.dr6 & 0x2000, 0x2000, "DR6.BD");
  check_equal(read_dr7() & 0x2000, 0, "#DB clears GD");
  write_dr7(kDr7);
  write_dr6(0);
  check_caught(run_user(user_get_dr7), 13, 0, user_get_dr7_at, "MOV from DR7 at CPL 3");
  write_dr0(address(&g_debug_word));
  write_dr7(kDr7 | 2 | (kWrite | kFour << 2) << 16);
  check_caught(run_user(user_store), 1, 0, user_store_next, "data breakpoint at CPL 3");
  write_dr7(kDr7);
}

u32 g_steps[8], g_step_count, g_step_flags[8], g_step_limit;
bool record(Frame& frame) {
  if (frame.vector == 0x43) return true;
  if (frame.vector != 1) return false;
  if (g_step_count < 8) {
    g_step_flags[g_step_count] = frame.eflags;
    g_steps[g_step_count++] = frame.eip;
  }
  if (g_step_count >= g_step_limit) frame.eflags &= ~kTf;
  return true;
}
u32 step(void (*code)(u32), u32 limit) {
  set_handler(record);
  g_step_count = 0;
  g_step_limit = limit;
  write_dr6(0);
  run(code);
  set_handler(nullptr);
  return g_step_count;
}

void test_steps() {
  step(step_int, 2);
  check_equal(g_steps[0], address(step_int_next) + 1,
              "INT n clears TF: the next trap is after IRET's target");
  step(step_iret, 1);
  check_equal(g_steps[0], address(step_iret_next), "IRET that sets TF: a trap after the next instruction");
  check_equal(read_dr6() & 0x4000, 0x4000, "DR6.BS");
  check_equal(g_step_flags[0] & kTf, kTf, "TF is set in the saved flags");
  check_equal(g_step_flags[0] & kRf, 0, "RF is clear in a trap's image");
  step(step_pushf, 1);
  check_equal(g_steps[0], address(step_pushf_next), "PUSHF is stepped over");
  step(step_pushf, 3);
  check_equal(g_debug_word & kTf, kTf, "PUSHF pushes TF");
  step(step_branch, 1);
  check_equal(g_steps[0], address(step_branch_target), "a branch is one step");
  step(step_off, 8);
  check_equal(g_step_count, 2, "POPF that clears TF is the last step");
  Caught c = run_user(user_plain, 2 | kTf);
  check_caught(c, 1, 0, user_plain_at, "a step at CPL 3");
}

}  // namespace

void guest_main() {
  test_code();
  test_data();
  test_ports();
  test_registers();
  test_steps();
}
