// Guest: real mode: the interrupt table, segment limits, exceptions, flags, "unreal" segments (SDM vol.
// 3B 21.1).
#include "runtime/real_mode.h"

namespace {

REAL_CODE(plain, "movw $0x1234, %ax", "int $0x61", "");
REAL_CODE(registers, "movw %cs, %ax\n movw %sp, %bx", "movl $0x89abcdef, %ecx", "movw %cx, %dx");
REAL_CODE(divide, "xorw %cx, %cx", "divw %cx", "");
REAL_CODE(breakpoint, "nop", "int3", "");
REAL_CODE(overflow, "movb $0x7f, %al\n incb %al", "into", "");
REAL_CODE(bound, "movw $9, %ax\n movw $1, 0\n movw $5, 2", "bound %ax, 0", "");
REAL_CODE(undefined, "nop", "ud2", "");
REAL_CODE(lock_nop, "nop", ".byte 0xf0, 0x90", "");
REAL_CODE(sldt, "nop", ".byte 0x0f, 0x00, 0xc0", "");
REAL_CODE(lldt, "nop", ".byte 0x0f, 0x00, 0xd0", "");
REAL_CODE(str, "nop", ".byte 0x0f, 0x00, 0xc8", "");
REAL_CODE(verr, "nop", ".byte 0x0f, 0x00, 0xe0", "");
REAL_CODE(lar, "nop", ".byte 0x0f, 0x02, 0xc0", "");
REAL_CODE(lsl, "nop", ".byte 0x0f, 0x03, 0xc0", "");
REAL_CODE(arpl, "nop", ".byte 0x63, 0xc0", "");
REAL_CODE(fast_call, "nop", "sysenter", "");
REAL_CODE(not_available, "movl %cr0, %eax\n orb $8, %al\n movl %eax, %cr0", "fld1", "");
REAL_CODE(past_limit, "movw $0xffff, %bx", "movw (%bx), %ax", "");
REAL_CODE(last_byte, "movw $0xffff, %bx", "movb (%bx), %al", "");
REAL_CODE(past_limit4, "movw $0xfffd, %bx", "movl (%bx), %eax", "");
REAL_CODE(stack_limit, "movw $0xffff, %bp", "movw (%bp), %ax", "");
REAL_CODE(wide_offset, "movl $0x10000, %ebx", "movb (%ebx), %al", "");
REAL_CODE(wide_jump, "", ".byte 0x66, 0xe9\n .long 0x10000 - 6", "");
REAL_CODE(pop_flags, "pushw $0x7ed7", "popfw", "pushfw\n popw %ax\n pushw $2\n popfw");
REAL_CODE(pop_flags_wide, "pushl $0x00247002", "popfl", "pushfl\n popl %eax\n pushw $2\n popfw");
REAL_CODE(interrupt_flags, "pushw $0x0302\n popfw", "nop", "");
REAL_CODE(data_segment, "movw $0x1234, %fs:0xb010", "movw $0xb00, %ax\n movw %ax, %ds\n movw 0x10, %bx", "");
REAL_CODE(high_memory, "movw $0xffff, %ax\n movw %ax, %es", "movl %es:0x10, %ebx", "");
REAL_CODE(idt_limit, "lidtl %cs:1f - idt_limit\n jmp 2f\n 1: .word 0x61 * 4 + 2\n .long 0\n 2:", "int $0x61",
          "");
REAL_CODE(far_call, "", "lcall $0x900, $1f - far_call",
          "jmp 2f\n 1: movw %sp, %bx\n movw %cs, %cx\n lret\n 2:");
REAL_CODE(far_return_pops, "pushw $5", "lcall $0x900, $1f - far_return_pops",
          "jmp 2f\n 1: lret $2\n 2: movw %sp, %bx");
REAL_CODE(interrupt_return, "pushw $0x0083\n pushw $0x900\n pushw $1f - interrupt_return", "iretw",
          "1: pushfw\n popw %ax");
REAL_CODE(push_all, "movw $0x1111, %ax\n movw $0x7777, %di", "pushaw",
          "movw %sp, 0x20\n movw %sp, %bp\n movw (%bp), %dx\n movw %dx, 0x22\n popaw\n movw 0x20, %bx\n movw "
          "%ax, %cx\n"
          "movw 0x22, %dx");
REAL_CODE(push_immediate, "", "pushw $-2", "popw %ax\n movw %sp, %bx");
REAL_CODE(string_wraps,
          "movw $0xfffe, %di\n movw $4, %cx\n movb $0x5a, %al\n movw $0x2000, %dx\n movw %dx, %es",
          "rep stosb", "movw %es:0, %bx\n movw %es:0xfffe, %ax");
REAL_CODE(loop_counts, "movl $0x10003, %ecx", "1: loop 1b", "");
REAL_CODE(address_wraps, "movw $0x5a5a, 0x10\n movw $0xfff0, %bx", "movw 0x20(%bx), %ax", "");
REAL_CODE(step, "pushw $0x102\n popfw", "nop", "nop");
REAL_CODE(
    unreal,
    "movl %cr0, %eax\n orb $1, %al\n movl %eax, %cr0\n movw $0x10, %bx\n movw %bx, %ds\n andb $0xfe, %al\n"
    "movl %eax, %cr0\n movl $0x100000, %ebx",
    "movl (%ebx), %ecx", "xorw %ax, %ax\n movw %ax, %ds\n movl (%ebx), %edx");
REAL_CODE(
    unreal_off,
    "movl %cr0, %eax\n orb $1, %al\n movl %eax, %cr0\n movw $0x1f8, %bx\n movw %bx, %ds\n andb $0xfe, %al\n"
    "movl %eax, %cr0\n movl $0x100000, %ebx",
    "movl (%ebx), %ecx", "");
REAL_CODE(machine_status, "", "smsww %ax", "");
REAL_CODE(tables, "", "sidtl %cs:1f - tables",
          "movl %cs:1f + 2 - tables, %eax\n movw %cs:1f - tables, %bx\n jmp 2f\n"
          "1: .skip 6\n 2:");
REAL_CODE(store_code, "", "movb $0x42, %cs:1f + 1 - store_code", "1: movb $0x41, %al");

// vector and saved IP of code
#define EXPECT(code, vector, where, name) check_real(RUN_REAL(code), vector, code, code##_##where, name)

void test_exceptions() {
  EXPECT(plain, 0x61, next, "INT n saves the next IP");
  const RealResult r = RUN_REAL(plain);
  check_equal(r.cs, 0x900, "INT n saves CS");
  check_equal(r.eax, 0x1234, "registers pass");
  check_equal(r.esp, 0x6f00, "the stack pointer after three words are popped");
  EXPECT(divide, 0, at, "#DE");
  EXPECT(breakpoint, 3, next, "INT3");
  EXPECT(overflow, 4, next, "INTO");
  EXPECT(bound, 5, at, "#BR");
  EXPECT(undefined, 6, at, "#UD");
  EXPECT(lock_nop, 6, at, "#UD: LOCK NOP");
  EXPECT(sldt, 6, at, "#UD: SLDT");
  EXPECT(lldt, 6, at, "#UD: LLDT");
  EXPECT(str, 6, at, "#UD: STR");
  EXPECT(verr, 6, at, "#UD: VERR");
  EXPECT(lar, 6, at, "#UD: LAR");
  EXPECT(lsl, 6, at, "#UD: LSL");
  EXPECT(arpl, 6, at, "#UD: ARPL");
  {
    const Requirement sep(has_feature(kFeatureSep), "no SEP");
    EXPECT(fast_call, 13, at, "#GP: SYSENTER");
  }
  EXPECT(not_available, 7, at, "#NM");
  asm volatile("clts");
  EXPECT(step, 1, next, "single step");
}

void test_limits() {
  EXPECT(past_limit, 13, at, "#GP: a word at FFFF");
  EXPECT(last_byte, 0x60, end, "the byte at FFFF");
  EXPECT(past_limit4, 13, at, "#GP: four bytes at FFFD");
  EXPECT(stack_limit, 12, at, "#SS: a word at FFFF of the stack");
  EXPECT(wide_offset, 13, at, "#GP: offset 10000");
  u8* beyond = reinterpret_cast<u8*>(kRealCode + 0x10000);  // should the jump be done
  asm("" : "+r"(beyond));
  memory_set(beyond, 0xcc, 16);
  EXPECT(wide_jump, 13, at, "#GP: a jump past FFFF");
  EXPECT(idt_limit, 13, at, "#GP: a vector past the IDT's limit");
  RealResult r = RUN_REAL(unreal);
  check_equal(r.vector, 0x60, "a segment of 4 GiB from protected mode");
  check_equal(r.ecx, 0x1badb002, "reads above 64 KiB");
  check_equal(r.edx, 0x1badb002, "and keeps its limit when it is loaded in real mode");
  EXPECT(unreal_off, 13, at, "a segment of 64 KiB from protected mode");
  r = RUN_REAL(address_wraps);
  check_equal(r.eax & 0xffff, 0x5a5a, "16-bit addresses wrap");
  r = RUN_REAL(string_wraps);
  check((r.eax & 0xffff) == 0x5a5a && (r.ebx & 0xffff) == 0x5a5a && (r.edi & 0xffff) == 2,
        "DI wraps in REP STOS");
}

void test_flags() {
  check_equal(RUN_REAL(pop_flags).eax & 0xffff, 0x7ed7, "POPF changes IOPL, NT and IF; bit 15 is 0");
  check_equal(RUN_REAL(pop_flags_wide).eax & 0x247002, 0x247002, "POPFD: AC and ID too");
  const RealResult r = RUN_REAL(interrupt_flags);
  check_equal(r.vector, 1, "TF and IF set by POPF: a trap");
  check_equal(r.flags & 0x300, 0x300, "the saved flags have TF and IF");
  check_equal(RUN_REAL(interrupt_return).eax & 0x83, 0x83, "IRET loads the flags");
  check_equal(read_eflags() & 0x300, 0, "back in protected mode both are clear");
}

void test_transfers() {
  RealResult r = RUN_REAL(registers);
  check_equal(r.eax & 0xffff, 0x900, "CS");
  check_equal(r.ebx & 0xffff, 0x6f00, "SP");
  check(r.ecx == 0x89abcdef && (r.edx & 0xffff) == 0xcdef, "an operand of 32 bits");
  r = RUN_REAL(far_call);
  check(r.vector == 0x60 && (r.ebx & 0xffff) == 0x6efc && (r.ecx & 0xffff) == 0x900, "far CALL and RET");
  check_equal(RUN_REAL(far_return_pops).ebx & 0xffff, 0x6f00, "far RET 2");
  r = RUN_REAL(push_all);
  check((r.ebx & 0xffff) == 0x6ef0 && (r.edx & 0xffff) == 0x7777 && (r.ecx & 0xffff) == 0x1111,
        "PUSHA and POPA of words");
  r = RUN_REAL(push_immediate);
  check((r.eax & 0xffff) == 0xfffe && (r.ebx & 0xffff) == 0x6f00, "PUSH of a sign-extended byte");
  r = RUN_REAL(loop_counts);
  check_equal(r.ecx, 0x10000, "LOOP counts CX alone");
  r = RUN_REAL(store_code);
  check_equal(r.eax & 0xff, 0x42, "self-modifying code");
}

void test_segments() {
  check_equal(RUN_REAL(data_segment).ebx & 0xffff, 0x1234, "a segment is 16 bytes times its number");
  check_equal(RUN_REAL(high_memory).ebx, 0x1badb002, "FFFF:0010 is 100000 with A20");
  const RealResult r = RUN_REAL(tables);
  check(r.eax == 0 && (r.ebx & 0xffff) == 0x3ff, "SIDT: base 0, limit 3FF");
  check_equal(RUN_REAL(machine_status).eax & 1, 0, "SMSW: PE is clear");
}

}  // namespace

void guest_main() {
  test_exceptions();
  test_limits();
  test_flags();
  test_transfers();
  test_segments();
}
