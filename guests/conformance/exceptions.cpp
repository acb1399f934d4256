// Guest: exceptions at CPL 0 and 3, with their error codes, saved EIP and flags; TF and debug registers.
#include "runtime/runtime.h"

namespace {

constexpr u32 kRf = 0x10000, kTf = 0x100;
u32 g_word;

SNIPPET(divide, "xorl %ecx, %ecx", "divl %ecx", "");
SNIPPET(divide_overflow, "movl $1, %edx\n movl $1, %ecx", "divl %ecx", "");
SNIPPET(breakpoint, "", "int3", "");
SNIPPET(overflow, "movb $0x7f, %al\n addb $1, %al", "into", "");
SNIPPET(no_overflow, "xorl %eax, %eax", "into", "");
SNIPPET(bound, "pushl $5\n pushl $1\n movl $9, %eax", "bound %eax, (%esp)", "addl $8, %esp");
SNIPPET(bound_inside, "pushl $5\n pushl $1\n movl $5, %eax", "bound %eax, (%esp)", "addl $8, %esp");
SNIPPET(undefined, "", "ud2", "");
SNIPPET(bad_lock, "", ".byte 0xf0, 0x90", "");
SNIPPET(int_40, "", "int $0x40", "");
SNIPPET(int_fe, "", "int $0xfe", "");
SNIPPET(int_80, "", "int $0x80", "");
SNIPPET(load_bad_selector, "movl $0x1f0, %eax", "movl %eax, %ds", "");
SNIPPET(load_absent, "movl $0x30, %eax", "movl %eax, %es", "");
SNIPPET(load_absent_stack, "movl $0x30, %eax", "movl %eax, %ss", "");
SNIPPET(load_null_stack, "xorl %eax, %eax", "movl %eax, %ss", "");
SNIPPET(use_null, "xorl %eax, %eax\n movl %eax, %fs", "movl %fs:0, %eax", "");
SNIPPET(too_long, "", ".fill 15, 1, 0x66\n nop", "");
SNIPPET(halt, "", "hlt", "int $0x80");
SNIPPET(disable, "", "cli", "int $0x80");
SNIPPET(read_cr0_, "", "movl %cr0, %eax", "int $0x80");
SNIPPET(port, "movw $0x80, %dx", "inb %dx, %al", "int $0x80");
SNIPPET(user_divide, "xorl %ecx, %ecx", "divl %ecx", "int $0x80");
SNIPPET(user_return, "movl $0x12345678, %eax", "int $0x80", "");
SNIPPET(steps, "pushfl\n orl $0x100, (%esp)\n popfl", "nop", "nop");
SNIPPET(steps_ss, "pushfl\n orl $0x100, (%esp)\n popfl\n movl %ss, %eax", "movl %eax, %ss", "nop");
SNIPPET(steps_repeat, "movl $3, %ecx\n movl $g_text, %esi\n pushfl\n orl $0x100, (%esp)\n popfl", "rep lodsb",
        "nop");
SNIPPET(icebp, "", ".byte 0xf1", "");
SNIPPET(plain, "nop", "nop", "nop");
SNIPPET(store_word, "movl 4(%esp), %eax\n movl $7, %ecx", "movl %ecx, (%eax)", "nop");
SNIPPET(load_byte, "movl 4(%esp), %eax", "movb 1(%eax), %cl", "nop");
SNIPPET(unaligned, "", "movl g_text+1, %eax", "int $0x80");
SNIPPET(aligned, "", "movl g_text, %eax", "int $0x80");

void test_faults() {
  Caught c = run(divide);
  check_caught(c, 0, 0, divide_at, "#DE by zero");
  check((c.eflags & kRf) != 0, "RF is set in the image of a fault");
  check_caught(run(divide_overflow), 0, 0, divide_overflow_at, "#DE by overflow");
  c = run(breakpoint);
  check_caught(c, 3, 0, breakpoint_next, "INT3 saves the next EIP");
  check((c.eflags & kRf) == 0, "RF is clear in the image of a trap");
  check_caught(run(overflow), 4, 0, overflow_next, "INTO");
  check(!run(no_overflow).any, "INTO without OF");
  check_caught(run(bound), 5, 0, bound_at, "BOUND outside");
  check(!run(bound_inside).any, "BOUND at the edge");
  check_caught(run(undefined), 6, 0, undefined_at, "#UD");
  check_caught(run(bad_lock), 6, 0, bad_lock_at, "#UD for LOCK NOP");
  check_caught(run(int_40), 0x40, 0, int_40_next, "INT 40h");
  check_caught(run(too_long), 13, 0, too_long_at, "#GP(0) for 16 bytes");
}

void test_selector_errors() {
  check_caught(run(load_bad_selector), 13, 0x1f0, load_bad_selector_at, "#GP(selector) empty descriptor");
  g_gdt[kFreeDescriptor] = make_descriptor(0, 0xfffff, 0x13, 0xc);  // not present
  check_caught(run(load_absent), 11, 0x30, load_absent_at, "#NP(selector)");
  check_caught(run(load_absent_stack), 12, 0x30, load_absent_stack_at, "#SS(selector)");
  check_caught(run(load_null_stack), 13, 0, load_null_stack_at, "#GP(0) for a null SS");
  check_caught(run(use_null), 13, 0, use_null_at, "#GP(0) through a null segment");
  g_idt[0xfe] = 0;
  check_caught(run(int_fe), 13, 0xfe * 8 + 2, int_fe_at, "#GP(IDT) for an empty gate");
  g_idt[0xfe] = make_gate(kKernelCode, 0, 0x0e);
  check_caught(run(int_fe), 11, 0xfe * 8 + 2, int_fe_at, "#NP(IDT)");
  g_idt[0xfe] = make_gate(0, 0, 0x8e);
  check_caught(run(int_fe), 13, 0, int_fe_at, "#GP(0) for a gate with a null selector");
  g_idt[0xfe] = make_gate(kKernelData, 0, 0x8e);
  check_caught(run(int_fe), 13, kKernelData, int_fe_at, "#GP(selector) for a gate to data");
  g_idt[0xfe] = make_gate(0x30, 0, 0x8e);
  g_gdt[kFreeDescriptor] = make_descriptor(0, 0xfffff, 0x1b, 0xc);
  check_caught(run(int_fe), 11, 0x30, int_fe_at, "#NP(selector) for a gate to absent code");
  // The same for an exception: EXT is set.
  const u64 gate_of_ud = g_idt[6];
  g_idt[6] = 0;
  check_caught(run(undefined), 13, 6 * 8 + 3, undefined_at, "#GP(IDT, EXT) in delivery of #UD");
  g_idt[6] = gate_of_ud;
}

void test_double_fault() {
  const u64 ud = g_idt[6], gp = g_idt[13];
  g_idt[13] = 0;
  g_idt[6] = 0;
  Caught c = run(undefined);
  g_idt[6] = ud;
  g_idt[13] = gp;
  // #UD is benign: #GP in its delivery is delivered; that in turn fails: #DF.
  check_caught(c, 8, 0, nullptr, "#DF: #GP in delivery of #GP");
  const u64 de = g_idt[0];
  g_idt[0] = 0;
  c = run(divide);
  g_idt[0] = de;
  check_caught(c, 8, 0, nullptr, "#DF: #GP in delivery of #DE");
}

void test_user() {
  Caught c = run_user(user_return);
  check_caught(c, 0x80, 0, user_return_next, "INT 80h from CPL 3");
  check_equal(c.cs, kUserCode, "saved CS");
  check_equal(c.ss, kUserData, "saved SS");
  check_equal(c.esp, user_stack_top(), "saved ESP");
  check_equal(c.frame.eax, 0x12345678, "registers pass");
  check_equal(reinterpret_cast<u32>(&c) != 0 ? g_tss.esp0 & 3 : 0, 0, "ring 0 stack aligned");
  check_caught(run_user(int_40), 13, 0x40 * 8 + 2, int_40_at, "#GP: gate of DPL 0 from CPL 3");
  check_caught(run_user(breakpoint), 3, 0, breakpoint_next, "INT3 from CPL 3");
  check_caught(run_user(overflow), 13, 4 * 8 + 2, overflow_at, "#GP: INTO through a gate of DPL 0");
  check_caught(run_user(user_divide), 0, 0, user_divide_at, "#DE from CPL 3");
  check_caught(run_user(halt), 13, 0, halt_at, "#GP(0): HLT at CPL 3");
  check_caught(run_user(disable), 13, 0, disable_at, "#GP(0): CLI at CPL 3");
  check_caught(run_user(read_cr0_), 13, 0, read_cr0__at, "#GP(0): MOV CR0 at CPL 3");
  check_caught(run_user(port), 13, 0, port_at, "#GP(0): IN without a bitmap");
  check_caught(run_user(port, 0x3002), 0x80, 0, port_end, "IN with IOPL 3");
  check_caught(run_user(disable, 0x3002), 0x80, 0, disable_end, "CLI with IOPL 3");
}

u32 g_steps[16];
u32 g_step_count;
bool record_steps(Frame& frame) {
  if (frame.vector != 1) return false;
  if (g_step_count < 16) g_steps[g_step_count++] = frame.eip;
  if (frame.eip >= reinterpret_cast<u32>(steps_end) && g_step_count > 8) frame.eflags &= ~kTf;
  return true;
}

void at(u32 index, const void* wanted, const char* what) {
  check_equal(index < g_step_count ? g_steps[index] : 0, reinterpret_cast<u32>(wanted), what);
}

void test_single_step() {
  set_handler(record_steps);
  g_step_count = 0;
  run(steps);
  at(0, steps_next, "single step: the first #DB is after the instruction after POPF");
  at(1, steps_end, "single step: the second");
  g_step_count = 0;
  run(steps_ss);
  // MOV EAX, SS ran after POPF; then MOV SS and NOP are one step.
  at(0, steps_ss_at, "single step before MOV SS");
  at(1, steps_ss_end, "MOV SS takes the next instruction with it");
  g_step_count = 0;
  run(steps_repeat);
  at(0, steps_repeat_at, "REP traps after each element (1)");
  at(1, steps_repeat_at, "REP traps after each element (2)");
  at(2, steps_repeat_next, "REP traps after the last");
  set_handler(nullptr);
}

void test_debug_registers() {
  write_dr6(0);
  Caught c = run(icebp);
  check_caught(c, 1, 0, icebp_next, "INT1");

  write_dr6(0);
  write_dr0(reinterpret_cast<u32>(plain_at));
  write_dr7(0x402);
  c = run(plain);
  write_dr7(0x400);
  check_caught(c, 1, 0, plain_at, "instruction breakpoint: a fault at it");
  check_equal(c.dr6 & 0xe00f, 1, "DR6.B0");
  // SDM vol. 3B 18.3.1.1: the one fault that leaves RF for its handler to set.
  check((c.eflags & kRf) == 0, "RF is clear in the image of an instruction breakpoint");

  write_dr6(0);
  write_dr1(reinterpret_cast<u32>(&g_word));
  write_dr7(0x400 | 0x8 | (0xdu << 20));  // G1, write, 4 bytes
  c = run(store_word, reinterpret_cast<u32>(&g_word));
  write_dr7(0x400);
  check_caught(c, 1, 0, store_word_next, "data breakpoint: a trap after the store");
  check_equal(c.dr6 & 0xe00f, 2, "DR6.B1");
  check_equal(g_word, 7, "the store was done");

  write_dr6(0);
  write_dr7(0x400 | 0x8 | (0xdu << 20));
  check(!run(load_byte, reinterpret_cast<u32>(&g_word)).any, "a load passes a write breakpoint");
  write_dr7(0x400 | 0x8 | (0xfu << 20));
  c = run(load_byte, reinterpret_cast<u32>(&g_word));
  write_dr7(0x400);
  check_caught(c, 1, 0, load_byte_next, "read-write breakpoint: a byte of it");

  write_dr6(0);
  write_dr7(0x2400);  // GD
  c = run([](u32) { read_dr6(); });
  check(c.any && c.vector == 1 && (c.dr6 & 0x2000) != 0, "DR7.GD");
  write_dr7(0x400);
  write_dr6(0);
}

void test_alignment() {
  write_cr0(read_cr0() | 0x40000);
  check_caught(run_user(unaligned, 0x40002), 17, 0, unaligned_at, "#AC(0) at CPL 3 with AC");
  check_caught(run_user(aligned, 0x40002), 0x80, 0, aligned_end, "no #AC when aligned");
  check_caught(run_user(unaligned, 2), 0x80, 0, unaligned_end, "no #AC without AC");
  write_cr0(read_cr0() & ~0x40000u);
}

}  // namespace

extern "C" {
extern const char g_text[16];
alignas(16) const char g_text[16] = "0123456789";
}

void guest_main() {
  test_faults();
  test_selector_errors();
  test_double_fault();
  test_user();
  test_single_step();
  test_debug_registers();
  test_alignment();
}
