// Guest: control registers, MSRs, TSC, and the privileged instructions at CPL 3 (SDM vol. 3A 2.5 and 5.9).
#include "runtime/paging.h"

namespace {

constexpr u32 kPe = 1, kEt = 0x10, kPg = 0x80000000, kNw = 0x20000000, kCd = 0x40000000;

SNIPPET(set_cr0, "movl 4(%esp), %eax", "movl %eax, %cr0", "");
SNIPPET(set_cr4, "movl 4(%esp), %eax", "movl %eax, %cr4", "");
SNIPPET(get_cr1, "", ".byte 0x0f, 0x20, 0xc8", "");
SNIPPET(set_cr5, "", ".byte 0x0f, 0x22, 0xe8", "");
SNIPPET(invlpg_register, "", ".byte 0x0f, 0x01, 0xf8", "");
SNIPPET(lgdt_register, "", ".byte 0x0f, 0x01, 0xd0", "");
SNIPPET(read_unknown_msr, "movl $0x12345678, %ecx", "rdmsr", "");
SNIPPET(write_unknown_msr, "movl $0x12345678, %ecx\n xorl %eax, %eax\n xorl %edx, %edx", "wrmsr", "");
SNIPPET(lmsw_pe, "xorl %eax, %eax", "lmsw %ax", "");
SNIPPET(mov_cs, "movl $8, %eax", ".byte 0x8e, 0xc8", "");    // MOV CS, AX
SNIPPET(mov_seg6, "movl $8, %eax", ".byte 0x8e, 0xf0", "");  // MOV to segment register 6
SNIPPET(lea_register, "", ".byte 0x8d, 0xc0", "");           // LEA EAX, EAX
SNIPPET(les_register, "", ".byte 0xc4, 0xc0", "nop");        // LES EAX, EAX
SNIPPET(group_ff7, "", ".byte 0xff, 0xf8", "");              // FF /7
SNIPPET(group_fe2, "", ".byte 0xfe, 0xd0", "");              // FE /2
SNIPPET(group_8f1, "", ".byte 0x8f, 0xc8", "");              // 8F /1
SNIPPET(ud1, "", ".byte 0x0f, 0xb9, 0xc0", "");
SNIPPET(opcode_0f_0a, "", ".byte 0x0f, 0x0a", "");
SNIPPET(opcode_0f_ff, "", ".byte 0x0f, 0xff, 0xc0", "");  // UD0

// At CPL 3, each is #GP(0).
SNIPPET(user_hlt, "", "hlt", "int $0x80");
SNIPPET(user_clts, "", "clts", "int $0x80");
SNIPPET(user_lgdt, "", "lgdt g_control", "int $0x80");
SNIPPET(user_lidt, "", "lidt g_control", "int $0x80");
SNIPPET(user_lldt, "xorl %eax, %eax", "lldt %ax", "int $0x80");
SNIPPET(user_ltr, "xorl %eax, %eax", "ltr %ax", "int $0x80");
SNIPPET(user_lmsw, "xorl %eax, %eax", "lmsw %ax", "int $0x80");
SNIPPET(user_get_cr0, "", "movl %cr0, %eax", "int $0x80");
SNIPPET(user_set_cr0, "", "movl %eax, %cr0", "int $0x80");
SNIPPET(user_get_cr2, "", "movl %cr2, %eax", "int $0x80");
SNIPPET(user_set_cr3, "", "movl %eax, %cr3", "int $0x80");
SNIPPET(user_get_cr4, "", "movl %cr4, %eax", "int $0x80");
SNIPPET(user_get_dr7, "", "movl %dr7, %eax", "int $0x80");
SNIPPET(user_set_dr0, "", "movl %eax, %dr0", "int $0x80");
SNIPPET(user_rdmsr, "movl $0x10, %ecx", "rdmsr", "int $0x80");
SNIPPET(user_wrmsr, "movl $0x10, %ecx", "wrmsr", "int $0x80");
SNIPPET(user_invd, "", "invd", "int $0x80");
SNIPPET(user_wbinvd, "", "wbinvd", "int $0x80");
SNIPPET(user_invlpg, "", "invlpg g_control", "int $0x80");
SNIPPET(user_cli, "", "cli", "int $0x80");
SNIPPET(user_sti, "", "sti", "int $0x80");
SNIPPET(user_in, "", "inb $0x80, %al", "int $0x80");
SNIPPET(user_out, "", "outl %eax, $0x80", "int $0x80");
SNIPPET(user_rdtsc, "", "rdtsc", "int $0x80");
SNIPPET(user_cpuid, "xorl %eax, %eax", "cpuid", "int $0x80");

}  // namespace

extern "C" {
u8 g_control[8];
}

namespace {

void test_cr0() {
  const u32 cr0 = read_cr0();
  check_equal(cr0 & (kPe | kEt), kPe | kEt, "CR0.PE and ET are 1");
  {
    const Requirement survivable(!on_tcg(), "QEMU's TCG resets");
    check_caught(run(set_cr0, kPg | (cr0 & ~kPe)), 13, 0, set_cr0_at, "#GP(0): PG without PE");
  }
  check_caught(run(set_cr0, (cr0 | kNw) & ~kCd), 13, 0, set_cr0_at, "#GP(0): NW without CD");
  check_equal(read_cr0(), cr0, "CR0 after a faulting MOV");
  check_none(run(set_cr0, cr0 & ~kEt), "MOV CR0 with ET clear");
  check_equal(read_cr0() & kEt, kEt, "ET stays 1");
  check_none(run(set_cr0, cr0 | kCd), "CD alone");
  write_cr0(cr0);
  check_none(run(lmsw_pe), "LMSW with PE clear");
  check_equal(read_cr0() & kPe, kPe, "LMSW can't clear PE");
  asm volatile("lmsw %w0" ::"r"(0xfff8 | kPe));
  check_equal(read_cr0() ^ cr0, (cr0 & 0xe) ^ 8, "LMSW reaches TS, EM, MP and PE only");
  write_cr0(cr0);
  asm volatile("lmsw %w0" ::"r"(8 | kPe));
  asm volatile("clts");
  check_equal(read_cr0() & 8, 0, "CLTS");
  write_cr0(cr0);
}

void test_others() {
  {
    const Requirement survivable(!on_tcg(), "QEMU's TCG loops");
    check_caught(run(set_cr4, 0x80000000), 13, 0, set_cr4_at, "#GP(0): a reserved bit of CR4");
  }
  check_caught(run(get_cr1), 6, 0, get_cr1_at, "#UD: MOV from CR1");
  check_caught(run(set_cr5), 6, 0, set_cr5_at, "#UD: MOV to CR5");
  write_cr2(0x12345678);
  check_equal(read_cr2(), 0x12345678, "CR2 is read and written");
  check_caught(run(invlpg_register), 6, 0, invlpg_register_at, "#UD: INVLPG of a register");
  check_caught(run(lgdt_register), 6, 0, lgdt_register_at, "#UD: LGDT of a register");
  check_caught(run(read_unknown_msr), 13, 0, read_unknown_msr_at, "#GP(0): RDMSR of what isn't there");
  check_caught(run(write_unknown_msr), 13, 0, write_unknown_msr_at, "#GP(0): WRMSR of what isn't there");
  check_caught(run(mov_cs), 6, 0, mov_cs_at, "#UD: MOV to CS");
  check_caught(run(mov_seg6), 6, 0, mov_seg6_at, "#UD: MOV to segment register 6");
  check_caught(run(lea_register), 6, 0, lea_register_at, "#UD: LEA of a register");
  check_caught(run(les_register), 6, 0, les_register_at, "#UD: LES of a register");
  check_caught(run(group_ff7), 6, 0, group_ff7_at, "#UD: FF /7");
  check_caught(run(group_fe2), 6, 0, group_fe2_at, "#UD: FE /2");
  check_caught(run(ud1), 6, 0, ud1_at, "#UD: UD1");
  check_caught(run(opcode_0f_0a), 6, 0, opcode_0f_0a_at, "#UD: 0F 0A");
  check_caught(run(opcode_0f_ff), 6, 0, opcode_0f_ff_at, "#UD: UD0");
}

void test_user() {
#define PRIVILEGED(code, name) check_caught(run_user(code), 13, 0, code##_at, name " at CPL 3 is #GP(0)")
  PRIVILEGED(user_hlt, "HLT");
  PRIVILEGED(user_clts, "CLTS");
  PRIVILEGED(user_lgdt, "LGDT");
  PRIVILEGED(user_lidt, "LIDT");
  PRIVILEGED(user_lldt, "LLDT");
  PRIVILEGED(user_ltr, "LTR");
  PRIVILEGED(user_lmsw, "LMSW");
  PRIVILEGED(user_get_cr0, "MOV from CR0");
  PRIVILEGED(user_set_cr0, "MOV to CR0");
  PRIVILEGED(user_get_cr2, "MOV from CR2");
  PRIVILEGED(user_set_cr3, "MOV to CR3");
  PRIVILEGED(user_get_cr4, "MOV from CR4");
  PRIVILEGED(user_get_dr7, "MOV from DR7");
  PRIVILEGED(user_set_dr0, "MOV to DR0");
  PRIVILEGED(user_rdmsr, "RDMSR");
  PRIVILEGED(user_wrmsr, "WRMSR");
  PRIVILEGED(user_invd, "INVD");
  PRIVILEGED(user_wbinvd, "WBINVD");
  PRIVILEGED(user_invlpg, "INVLPG");
  PRIVILEGED(user_cli, "CLI");
  PRIVILEGED(user_sti, "STI");
  PRIVILEGED(user_in, "IN");
  PRIVILEGED(user_out, "OUT");
#undef PRIVILEGED
  check_caught(run_user(user_sti, 0x3002), 0x80, 0, user_sti_end, "STI at CPL 3 with IOPL 3");
  check_caught(run_user(user_in, 0x3002), 0x80, 0, user_in_end, "IN at CPL 3 with IOPL 3");
  check_caught(run_user(user_rdtsc), 0x80, 0, user_rdtsc_end, "RDTSC at CPL 3");
  write_cr4(read_cr4() | 4);
  check_caught(run_user(user_rdtsc), 13, 0, user_rdtsc_at, "RDTSC at CPL 3 with TSD is #GP(0)");
  check_none(run([](u32) { read_tsc(); }), "RDTSC at CPL 0 with TSD");
  write_cr4(read_cr4() & ~4u);
  check_caught(run_user(user_cpuid), 0x80, 0, user_cpuid_end, "CPUID at CPL 3");
}

void test_tsc() {
  const u64 first = read_tsc();
  u64 last = first;
  bool rises = true;
  for (u32 i = 0; i < 1000; ++i) {
    const u64 now = read_tsc();
    rises = rises && now >= last;
    last = now;
  }
  check(rises && last > first, "the TSC rises");
  write_msr(0x10, 0x5000000000ull);
  const u64 moved = read_tsc();
  check(moved >= 0x5000000000ull && moved < 0x5800000000ull, "WRMSR sets the TSC");
  const u64 by_msr = read_msr(0x10);
  check(by_msr >= moved && by_msr < moved + 0x800000000ull, "RDMSR reads it");
}

}  // namespace

void guest_main() {
  test_cr0();
  test_others();
  test_user();
  test_tsc();
}
