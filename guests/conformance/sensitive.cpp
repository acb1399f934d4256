// Guest: the sensitive unprivileged instructions of Robin and Irvine (USENIX Security 2000, table 2) at
// CPL 3.
//
// They show or touch privileged state without a trap; an engine that runs user code must give each what the
// manual says (SDM vol. 2, each instruction's page), not the monitor's own state.
#include "runtime/runtime.h"

namespace {

constexpr u32 kIf = 0x200, kIopl3 = 0x3000;
constexpr u16 kInnerCode = 0x08, kInnerData = 0x10, kConforming = 0x30, kCallGate = 0x38;

SNIPPET(user_sgdt, "", "sgdt g_sensitive", "int $0x80");
SNIPPET(user_sidt, "", "sidt g_sensitive", "int $0x80");
SNIPPET(user_sldt, "movl $-1, %eax", "sldt %eax", "sldt g_sensitive\n int $0x80");
SNIPPET(user_str, "movl $-1, %eax", "str %eax", "str g_sensitive\n int $0x80");
SNIPPET(user_smsw, "", "smsw %eax", "smsw g_sensitive\n int $0x80");
SNIPPET(user_pushf, "", "pushfl", "popl %eax\n int $0x80");
SNIPPET(user_popf, "pushl $0x7002\n", "popfl", "pushfl\n popl %eax\n int $0x80");
SNIPPET(user_popf_set, "pushl $0x3ed7\n", "popfl", "pushfl\n popl %eax\n pushl $2\n popfl\n int $0x80");
SNIPPET(user_popf16, "pushw $0x3202\n", "popfw", "pushfl\n popl %eax\n int $0x80");
SNIPPET(user_lar, "movl $-1, %ecx\n movl g_sensitive_selector, %eax", "lar %eax, %ecx",
        "setz %dl\n int $0x80");
SNIPPET(user_lsl, "movl $-1, %ecx\n movl g_sensitive_selector, %eax", "lsl %eax, %ecx",
        "setz %dl\n int $0x80");
SNIPPET(user_verr, "movl g_sensitive_selector, %eax", "verr %ax", "setz %dl\n int $0x80");
SNIPPET(user_verw, "movl g_sensitive_selector, %eax", "verw %ax", "setz %dl\n int $0x80");
SNIPPET(user_push_cs, "", "pushl %cs",
        "popl %eax\n pushl %ss\n popl %ecx\n pushl %ds\n popl %edx\n int $0x80");
SNIPPET(user_mov_cs, "", "movl %cs, %eax", "movl %ss, %ecx\n movw %cs, g_sensitive\n int $0x80");
SNIPPET(user_pop_ds, "pushl g_sensitive_selector", "popl %ds", "movl %ds, %eax\n int $0x80");
SNIPPET(user_pop_ss, "pushl g_sensitive_selector", "popl %ss", "movl %ss, %eax\n int $0x80");
SNIPPET(user_mov_es, "movl g_sensitive_selector, %eax", "movl %eax, %es", "movl %es, %eax\n int $0x80");
SNIPPET(user_mov_ss, "movl g_sensitive_selector, %eax", "movl %eax, %ss", "movl %ss, %eax\n int $0x80");
SNIPPET(user_lds, "", "lds g_sensitive_pointer, %ebx", "movl %ds, %eax\n int $0x80");
SNIPPET(user_call, "", "lcall *g_sensitive_pointer", "movl %cs, %eax\n int $0x80");
SNIPPET(user_jump, "", "ljmp *g_sensitive_pointer", "int $0x80");
SNIPPET(user_int, "", "int $0x42", "int $0x80");
SNIPPET(user_ret, "pushl g_sensitive_selector\n pushl $1f", "lret", "1: movl %cs, %eax\n int $0x80");
SNIPPET(user_iret, "pushfl\n pushl g_sensitive_selector\n pushl $1f", "iretl",
        "1: movl %cs, %eax\n int $0x80");
SNIPPET(user_iret_flags, "pushl $0x3202\n pushl %cs\n pushl $1f", "iretl",
        "1: pushfl\n popl %eax\n int $0x80");
SNIPPET(landing, "movl %cs, %ecx", "lret", "");

}  // namespace

extern "C" {
alignas(4) u8 g_sensitive[8];
u32 g_sensitive_selector;
struct [[gnu::packed]] {
  u32 offset;
  u16 selector;
} g_sensitive_pointer;
}

namespace {

u32 word() { return *reinterpret_cast<volatile u16*>(g_sensitive); }
Caught with(u16 selector, void (*code)(u32), u32 flags = 2) {
  g_sensitive_selector = selector;
  g_sensitive_pointer.selector = selector;
  return run_user(code, flags);
}

void test_tables() {
  Caught c = run_user(user_sgdt);
  check_caught(c, 0x80, 0, nullptr, "SGDT doesn't trap");
  check_equal(word(), sizeof g_gdt - 1, "SGDT: limit");
  check_equal(*reinterpret_cast<u32*>(g_sensitive + 2), reinterpret_cast<u32>(g_gdt), "SGDT: base");
  c = run_user(user_sidt);
  check_caught(c, 0x80, 0, nullptr, "SIDT doesn't trap");
  check_equal(word(), sizeof g_idt - 1, "SIDT: limit");
  check_equal(*reinterpret_cast<u32*>(g_sensitive + 2), reinterpret_cast<u32>(g_idt), "SIDT: base");
  alignas(8) static u64 ldt[2];
  g_gdt[8] = make_descriptor(reinterpret_cast<u32>(ldt), sizeof ldt - 1, 0x82, 0);
  asm volatile("lldt %w0" ::"r"(0x40));
  c = run_user(user_sldt);
  check_equal(c.frame.eax & 0xffff, 0x40, "SLDT r32");
  check_equal(word(), 0x40, "SLDT m16");
  asm volatile("lldt %w0" ::"r"(0));
  c = run_user(user_str);
  check_equal(c.frame.eax & 0xffff, kTssSelector, "STR r32");
  check_equal(word(), kTssSelector, "STR m16");
  c = run_user(user_smsw);
  check_equal(c.frame.eax & 0xffff, read_cr0() & 0xffff, "SMSW r32");
  check_equal(word(), read_cr0() & 0xffff, "SMSW m16");
  write_cr0(read_cr0() | 8);
  check_equal(run_user(user_smsw).frame.eax & 8, 8, "SMSW shows TS");
  asm volatile("clts");
}

void test_flags() {
  check_equal(run_user(user_pushf, 0x202).frame.eax & 0x3200, 0x200, "PUSHF shows IF");
  check_equal(run_user(user_pushf, 2).frame.eax & 0x3200, 0, "PUSHF shows IF clear");
  check_equal(run_user(user_pushf, kIopl3 | 2).frame.eax & kIopl3, kIopl3, "PUSHF shows IOPL");
  Caught c = run_user(user_popf, kIf | 2);
  check_caught(c, 0x80, 0, nullptr, "POPF doesn't trap");
  check_equal(c.frame.eax & 0x7200, 0x4200, "POPF with IOPL 0 keeps IF and IOPL, and changes NT");
  check_equal(run_user(user_popf_set, 2).frame.eax & 0x3fd7, 0x0cd7, "POPF sets the rest, not IF, nor IOPL");
  check_equal(run_user(user_popf16, 2).frame.eax & 0x3200, 0, "POPF of 16 bits keeps them too");
  check_equal(run_user(user_popf, kIopl3 | kIf | 2).frame.eax & 0x3200, kIopl3,
              "POPF with IOPL 3 changes IF, not IOPL");
  check_equal(run_user(user_iret_flags, 2).frame.eax & 0x3200, 0, "IRET at CPL 3 keeps IF and IOPL");
  check_equal(run_user(user_iret_flags, kIopl3 | 2).frame.eax & 0x3200, 0x3200,
              "IRET with IOPL 3 changes IF");
}

void test_inspection() {
  Caught c = with(kUserData, user_lar);
  check(c.frame.edx % 256 == 1 && (c.frame.ecx & 0xf0ff00) == 0xc0f300, "LAR of its own data");
  c = with(kInnerData | 3, user_lar);
  check(c.frame.edx % 256 == 0 && c.frame.ecx == ~0u, "LAR of inner data: ZF clear, register kept");
  g_gdt[kConforming >> 3] = make_descriptor(0, 0xfffff, 0x9f, 0xc);
  c = with(kConforming, user_lar);
  check(c.frame.edx % 256 == 1 && (c.frame.ecx & 0xff00) == 0x9f00, "LAR of inner conforming code");
  g_gdt[kCallGate >> 3] = make_gate(kKernelCode, 0, 0xec);
  check_equal(with(kCallGate, user_lar).frame.edx & 255, 1, "LAR of a call gate");
  check_equal(with(kCallGate, user_lsl).frame.edx & 255, 0, "LSL of a call gate");
  check_equal(with(kTssSelector, user_lar).frame.edx & 255, 0, "LAR of an inner TSS");
  c = with(kUserCode, user_lsl);
  check(c.frame.edx % 256 == 1 && c.frame.ecx == 0xffffffff, "LSL of its own code");
  check_equal(with(kInnerCode, user_lsl).frame.edx & 255, 0, "LSL of inner code");
  check_equal(with(kConforming, user_lsl).frame.edx & 255, 1, "LSL of inner conforming code");
  check_equal(with(kUserData, user_verr).frame.edx & 255, 1, "VERR of its own data");
  check_equal(with(kInnerData, user_verr).frame.edx & 255, 0, "VERR of inner data");
  check_equal(with(kConforming, user_verr).frame.edx & 255, 1, "VERR of inner conforming code");
  check_equal(with(kUserData, user_verw).frame.edx & 255, 1, "VERW of its own data");
  check_equal(with(kUserCode, user_verw).frame.edx & 255, 0, "VERW of code");
  check_equal(with(kInnerData, user_verw).frame.edx & 255, 0, "VERW of inner data");
  check_equal(with(0, user_verr).frame.edx & 255, 0, "VERR of null");
}

void test_selectors() {
  Caught c = run_user(user_push_cs);
  check_equal(c.frame.eax & 0xffff, kUserCode, "PUSH CS shows RPL 3");
  check_equal(c.frame.ecx & 0xffff, kUserData, "PUSH SS");
  check_equal(c.frame.edx & 0xffff, kUserData, "PUSH DS");
  c = run_user(user_mov_cs);
  check_equal(c.frame.eax, kUserCode, "MOV r32, CS clears the upper half");
  check_equal(c.frame.ecx, kUserData, "MOV r32, SS");
  check_equal(word(), kUserCode, "MOV m16, CS");
  check_equal(with(kUserData & ~3, user_pop_ds).frame.eax & 0xffff, kUserData & ~3,
              "POP DS keeps the RPL given");
  check_caught(with(kInnerData, user_pop_ds), 13, kInnerData, user_pop_ds_at, "POP DS of inner data");
  check_caught(with(kInnerData, user_pop_ss), 13, kInnerData, user_pop_ss_at, "POP SS of inner data");
  check_caught(with(kUserData & ~3, user_pop_ss), 13, kUserData & ~3, user_pop_ss_at,
               "POP SS with another RPL");
  check_caught(with(kUserData, user_pop_ss), 0x80, 0, nullptr, "POP SS of its own");
  check_caught(with(kInnerData, user_mov_es), 13, kInnerData, user_mov_es_at, "MOV ES of inner data");
  check_caught(with(kUserCode, user_mov_es), 0x80, 0, nullptr, "MOV ES of readable code");
  check_caught(with(kConforming, user_mov_es), 0x80, 0, nullptr, "MOV ES of inner conforming code");
  check_caught(with(0, user_mov_ss), 13, 0, user_mov_ss_at, "MOV SS of null at CPL 3");
  check_caught(with(kUserCode, user_mov_ss), 13, kUserCode & ~3, user_mov_ss_at, "MOV SS of code");
  check_caught(with(kInnerData | 3, user_lds), 13, kInnerData, user_lds_at, "LDS of inner data");
}

void test_transfers() {
  g_sensitive_pointer.offset = reinterpret_cast<u32>(landing);
  check_caught(with(kInnerCode, user_call), 13, kInnerCode, user_call_at, "CALL to inner code");
  Caught c = with(kUserCode, user_call);
  check_caught(c, 0x80, 0, nullptr, "CALL to its own code");
  check_equal(c.frame.ecx, kUserCode, "its CS");
  c = with(kConforming, user_call);
  check_equal(c.frame.ecx, kConforming | 3, "CALL to inner conforming code stays at CPL 3");
  check_caught(with(kInnerCode, user_jump), 13, kInnerCode, user_jump_at, "JMP to inner code");
  check_caught(run_user(user_int), 13, 0x42 * 8 + 2, user_int_at, "INT n through a gate of DPL 0");
  g_idt[0x42] |= 3ull << 45;
  check_caught(run_user(user_int), 0x42, 0, user_int_next, "INT n through a gate of DPL 3");
  g_idt[0x42] &= ~(3ull << 45);
  check_caught(with(kInnerCode, user_ret), 13, kInnerCode, user_ret_at, "RET to inner code");
  check_equal(with(kUserCode, user_ret).frame.eax, kUserCode, "RET to its own code");
  check_caught(with(kInnerCode, user_iret), 13, kInnerCode, user_iret_at, "IRET to inner code");
  check_equal(with(kUserCode, user_iret).frame.eax, kUserCode, "IRET to its own code");
}

}  // namespace

void guest_main() {
  test_tables();
  test_flags();
  test_inspection();
  test_selectors();
  test_transfers();
}
