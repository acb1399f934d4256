// Guest: segment limits and types, conforming code, call gates, LDT, LAR and LSL.
#include "runtime/runtime.h"

namespace {

constexpr u16 kA = 0x30, kB = 0x38, kC = 0x40;  // free descriptors
alignas(16) u8 g_data[8192];
u32 base() { return reinterpret_cast<u32>(g_data); }
u64& slot(u16 selector) { return g_gdt[selector >> 3]; }

// Argument: offset. FS is kA.
SNIPPET(read_fs, "movl 4(%esp), %ebx\n movl $0x30, %eax\n movl %eax, %fs", "movl %fs:(%ebx), %eax", "");
SNIPPET(write_fs, "movl 4(%esp), %ebx\n movl $0x30, %eax\n movl %eax, %fs", "movl %eax, %fs:(%ebx)", "");
SNIPPET(write_byte_fs, "movl 4(%esp), %ebx\n movl $0x30, %eax\n movl %eax, %fs", "movb %al, %fs:(%ebx)", "");
SNIPPET(load_fs, "movl 4(%esp), %eax", "movl %eax, %fs", "");
SNIPPET(load_ss, "movl 4(%esp), %eax\n movl %ss, %ecx", "movl %eax, %ss", "movl %ecx, %ss");
SNIPPET(write_cs, "", "movl %eax, %cs:g_word", "");
SNIPPET(jump_far, "movl 4(%esp), %eax\n pushl %eax\n pushl $far_target", "ljmp *(%esp)",
        ".globl far_target\nfar_target: movl %cs, %ecx\n addl $8, %esp\n ljmp $8, $1f\n1:");
SNIPPET(call_far, "movl 4(%esp), %eax\n pushl %eax\n pushl $far_function", "lcall *(%esp)",
        "addl $8, %esp\n jmp 1f\n.globl far_function\nfar_function: movl %cs, %ecx\n lret\n1:");
SNIPPET(user_call_gate, "pushl $0x1111\n pushl $0x2222\n movl %esp, g_user_esp", "lcall $0x43, $0",
        "int $0x80");
SNIPPET(user_return_gate, "pushl $0x1111\n pushl $0x2222\n movl %esp, g_user_esp", "lcall $0x43, $0",
        "movl %esp, %ebx\n movl %cs, %esi\n int $0x80");
SNIPPET(user_jump_conforming, "", "ljmp $0x33, $1f\n1:", "movl %cs, %ecx\n int $0x80");
SNIPPET(user_load_ds0, "movl $0x10, %eax", "movl %eax, %ds", "int $0x80");
SNIPPET(user_lar, "movl $0x10, %eax\n xorl %ecx, %ecx", "lar %eax, %ecx", "int $0x80");
SNIPPET(limit_code, "", "lcall $0x30, $0", "");

void test_limits() {
  slot(kA) = make_descriptor(base(), 0xff, 0x93, 4);  // 256 bytes
  check(!run(read_fs, 0xfc).any, "read up to the limit");
  check_caught(run(read_fs, 0xfd), 13, 0, read_fs_at, "#GP(0): read past the limit");
  check_caught(run(write_fs, 0xffffffff), 13, 0, write_fs_at, "#GP(0): offset wraps");
  check(!run(write_byte_fs, 0xff).any, "the last byte");
  check_caught(run(write_byte_fs, 0x100), 13, 0, write_byte_fs_at, "#GP(0): one byte past");
  g_data[0x10] = 0x5a;
  u8 value;
  asm volatile("movl %1, %%fs\n movb %%fs:0x10, %0\n movl %2, %%fs"
               : "=&q"(value)
               : "r"(u32{kA}), "r"(u32{kKernelData}));
  check_equal(value, 0x5a, "base is added");
  slot(kA) = make_descriptor(base(), 0, 0x93, 0xc);  // one page, granular
  check(!run(read_fs, 0xffc).any, "granular limit: inside");
  check_caught(run(read_fs, 0xffd), 13, 0, read_fs_at, "granular limit: past");
  slot(kA) = make_descriptor(base(), 0xfff, 0x97, 4);  // expand-down, big: 1000h to FFFFFFFFh
  check_caught(run(read_fs, 0xfff), 13, 0, read_fs_at, "expand-down: at the limit");
  check(!run(read_fs, 0x1000).any, "expand-down: above the limit");
  slot(kA) = make_descriptor(base(), 0xfff, 0x97, 0);  // expand-down, small: 1000h to FFFFh
  check(!run(read_fs, 0x1ffc).any, "expand-down 16: inside");
  check_caught(run(read_fs, 0xfffd), 13, 0, read_fs_at, "expand-down 16: past FFFF");
  slot(kA) = make_descriptor(base(), 0xfff, 0x91, 4);  // read-only
  check(!run(read_fs, 0).any, "read-only: read");
  check_caught(run(write_fs, 0), 13, 0, write_fs_at, "#GP(0): write to read-only data");
  slot(kA) = make_descriptor(base(), 0xfff, 0x9a, 4);  // readable code
  check(!run(read_fs, 0).any, "readable code as data");
  check_caught(run(write_fs, 0), 13, 0, write_fs_at, "#GP(0): write to code");
  check_caught(run(write_cs), 13, 0, write_cs_at, "#GP(0): write through CS");
  slot(kA) = make_descriptor(base(), 0xfff, 0x98, 4);  // execute-only
  check_caught(run(load_fs, kA), 13, kA, load_fs_at, "#GP: execute-only code in FS");
  slot(kA) = make_descriptor(base(), 0xfff, 0x91, 4);
  check_caught(run(load_ss, kA), 13, kA, load_ss_at, "#GP: read-only SS");
  slot(kA) = make_descriptor(0, 0xfffff, 0xf3, 0xc);
  check_caught(run(load_ss, kA | 3), 13, kA, load_ss_at, "#GP: SS of another level");
  slot(kA) = make_descriptor(base(), 0xfff, 0x92, 4);
  run(load_fs, kA);
  check((slot(kA) >> 40 & 1) == 1, "a load sets the accessed bit");
  check_caught(run(load_fs, 0x30 | 4), 13, 0x34, load_fs_at, "#GP: no LDT");
  check_caught(run(load_fs, 0x200), 13, 0x200, load_fs_at, "#GP: past the GDT");
}

void test_far() {
  slot(kA) = make_descriptor(0, 0xfffff, 0x9b, 0xc);
  Caught c = run(jump_far, kA);
  check(!c.any, "far jump");
  slot(kA) = make_descriptor(0, 0xfffff, 0x1b, 0xc);
  check_caught(run(jump_far, kA), 11, kA, jump_far_at, "#NP: far jump to absent code");
  slot(kA) = make_descriptor(0, 0xfffff, 0xfb, 0xc);
  check_caught(run(jump_far, kA), 13, kA, jump_far_at, "#GP: far jump to outer code");
  check_caught(run(jump_far, kKernelData), 13, kKernelData, jump_far_at, "#GP: far jump to data");
  check_caught(run(jump_far, 0), 13, 0, jump_far_at, "#GP(0): far jump to null");
  slot(kA) = make_descriptor(0, 0xfffff, 0x9b, 0xc);
  check(!run(call_far, kA).any, "far call and return");
  slot(kA) = make_descriptor(0, 0x10, 0x9b, 4);
  c = run(jump_far, kA);
  check_caught(c, 13, 0, jump_far_at, "#GP(0): target past the limit");
  slot(kA) = make_descriptor(0, 0xfffff, 0x9f, 0xc);  // conforming, DPL 0
  c = run_user(user_jump_conforming);
  check_caught(c, 0x80, 0, nullptr, "user jumps to conforming code");
  check_equal(c.frame.ecx, kA | 3, "CPL stays 3");
  check_caught(run_user(user_load_ds0), 13, kKernelData, user_load_ds0_at, "#GP: user loads DPL 0 data");
}

SNIPPET(gate_target,
        "movl %esp, g_gate_esp\n movl 8(%esp), %eax\n movl 12(%esp), %edx\n movl (%esp), %edi\n"
        "movl 4(%esp), %ebp\n movl 16(%esp), %esi",
        "lret $8", "");

}  // namespace

extern "C" {
u32 g_word, g_user_esp, g_gate_esp;
}

namespace {

void test_call_gate() {
  slot(kC) = make_gate(kKernelCode, reinterpret_cast<u32>(gate_target), 0xec, 2);
  Caught c = run_user(user_return_gate);
  check_caught(c, 0x80, 0, user_return_gate_end, "call gate and return");
  check_equal(c.frame.eax, 0x2222, "parameter 1");
  check_equal(c.frame.edx, 0x1111, "parameter 2");
  check_equal(c.frame.edi, reinterpret_cast<u32>(user_return_gate_next), "return EIP");
  check_equal(c.frame.ebp, kUserCode, "return CS");
  check_equal(g_gate_esp, g_tss.esp0 - 24, "ESP after the gate");
  check_equal(c.frame.ebx, g_user_esp + 8, "RET n drops parameters of the outer stack");
  slot(kC) = make_gate(kKernelCode, reinterpret_cast<u32>(gate_target), 0x8c, 2);
  check_caught(run_user(user_call_gate), 13, kC, user_call_gate_at, "#GP: gate of DPL 0");
  slot(kC) = make_gate(kKernelCode, reinterpret_cast<u32>(gate_target), 0x6c, 2);
  check_caught(run_user(user_call_gate), 11, kC, user_call_gate_at, "#NP: absent gate");
  slot(kC) = make_gate(0, 0, 0xec, 0);
  check_caught(run_user(user_call_gate), 13, 0, user_call_gate_at, "#GP(0): gate with a null selector");
  slot(kC) = make_gate(kKernelData, 0, 0xec, 0);
  check_caught(run_user(user_call_gate), 13, kKernelData, user_call_gate_at, "#GP: gate to data");
}

u32 lar(u16 selector, bool* ok) {
  u32 value = 0;
  u8 zero;
  asm volatile("lar %2, %0\n setz %1" : "+r"(value), "=q"(zero) : "r"(u32{selector}) : "cc");
  *ok = zero != 0;
  return value;
}
u32 lsl(u16 selector, bool* ok) {
  u32 value = 0;
  u8 zero;
  asm volatile("lsl %2, %0\n setz %1" : "+r"(value), "=q"(zero) : "r"(u32{selector}) : "cc");
  *ok = zero != 0;
  return value;
}
bool verr(u16 selector) {
  u8 zero;
  asm volatile("verr %w1\n setz %0" : "=q"(zero) : "r"(u32{selector}) : "cc");
  return zero != 0;
}
bool verw(u16 selector) {
  u8 zero;
  asm volatile("verw %w1\n setz %0" : "=q"(zero) : "r"(u32{selector}) : "cc");
  return zero != 0;
}

void test_inspection() {
  bool ok;
  check_equal(lar(kKernelCode, &ok) & 0xf0ff00, 0xc09b00, "LAR of code");
  check(ok, "LAR sets ZF");
  check_equal(lsl(kKernelCode, &ok), 0xffffffff, "LSL, granular");
  slot(kA) = make_descriptor(0, 0x1234, 0x93, 4);
  check_equal(lsl(kA, &ok), 0x1234, "LSL, bytes");
  lar(0x1f0, &ok);
  check(!ok, "LAR of an empty descriptor");
  lar(0, &ok);
  check(!ok, "LAR of null");
  lsl(0x300, &ok);
  check(!ok, "LSL past the GDT");
  check(verr(kKernelData) && verw(kKernelData), "VERR, VERW of data");
  check(verr(kKernelCode) && !verw(kKernelCode), "VERR, VERW of code");
  slot(kA) = make_descriptor(0, 0xff, 0x91, 4);
  check(verr(kA) && !verw(kA), "VERW of read-only data");
  slot(kA) = make_descriptor(0, 0xff, 0x98, 4);
  check(!verr(kA), "VERR of execute-only code");
  Caught c = run_user(user_lar);
  check_caught(c, 0x80, 0, nullptr, "LAR from CPL 3");
  check_equal(c.frame.ecx, 0, "LAR of inner data fails");
  u32 rpl = 0x10;
  u8 zero;
  asm volatile("arpl %w2, %w0\n setz %1" : "+r"(rpl), "=q"(zero) : "r"(3) : "cc");
  check(rpl == 0x13 && zero != 0, "ARPL raises RPL");
}

void test_ldt() {
  alignas(8) static u64 ldt[4];
  ldt[1] = make_descriptor(base(), 0xff, 0x93, 4);
  slot(kB) = make_descriptor(reinterpret_cast<u32>(ldt), sizeof ldt - 1, 0x82, 0);
  asm volatile("lldt %w0" ::"r"(u32{kB}));
  u32 selector;
  asm volatile("sldt %0" : "=r"(selector));
  check_equal(selector & 0xffff, kB, "SLDT");
  g_data[4] = 0x77;
  u8 value;
  asm volatile("movl %1, %%fs\n movb %%fs:4, %0\n movl %2, %%fs"
               : "=&q"(value)
               : "r"(0xc), "r"(u32{kKernelData}));
  check_equal(value, 0x77, "a segment of the LDT");
  check_caught(run(load_fs, 0x24), 13, 0x24, load_fs_at, "#GP: past the LDT");
  check_caught(run([](u32) { asm volatile("lldt %w0" ::"r"(u32{kKernelData})); }), 13, kKernelData, nullptr,
               "#GP: LLDT of data");
  asm volatile("lldt %w0" ::"r"(0));
}

}  // namespace

void guest_main() {
  test_limits();
  test_far();
  test_call_gate();
  test_inspection();
  test_ldt();
}
