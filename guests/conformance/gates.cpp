// Guest: call, interrupt and trap gates, far returns and IRET, with and without a change of privilege.
//
// SDM vol. 3A 5.8.3 to 5.8.6, 6.12.1; vol. 2 CALL, RET, INT n, IRET.
#include "runtime/runtime.h"

namespace {

constexpr u16 kGate = 0x30, kRing1Code = 0x39, kRing1Data = 0x41, kConforming = 0x48, kNarrowCode = 0x50,
              kBadStack = 0x58, kUserOnly = 0x60, kAbsent = 0x68;
constexpr u32 kIf = 0x200, kNt = 0x4000, kIopl3 = 0x3000;
alignas(16) u8 g_ring1_stack[1024];
u64& slot(u16 selector) { return g_gdt[selector >> 3]; }
u32 address(const void* p) { return reinterpret_cast<u32>(p); }
u32 ring1_top() { return address(g_ring1_stack + sizeof g_ring1_stack); }

// CPL 3 calls through the gate at kGate with three parameters on its stack.
SNIPPET(user_call, "pushl $3\n pushl $2\n pushl $1\n movl %esp, g_outer_esp", "lcall $0x33, $0x12345678",
        "movl %esp, %ebx\n movl %cs, %esi\n int $0x80");
SNIPPET(user_call_rpl0, "", "lcall $0x30, $0", "int $0x80");
SNIPPET(user_jump, "", "ljmp $0x33, $0", "int $0x80");
SNIPPET(kernel_call, "pushl $7", "lcall $0x30, $0", "addl $4, %esp");
SNIPPET(kernel_jump, "", "ljmp $0x30, $0", ".globl back_in_kernel\n back_in_kernel: nop");
SNIPPET(user_int, "movl %esp, g_outer_esp", "int $0x42", "int $0x80");
SNIPPET(kernel_int, "movl %esp, g_outer_esp", "int $0x42", "nop");

asm(R"(
        .pushsection .text
gate_target:                            # what a gate's target finds, then back by RET 12
        movl    %esp, g_inner_esp
        movw    %cs, g_inner_cs
        movw    %ss, g_inner_ss
        movl    (%esp), %eax
        movl    %eax, g_inner+0
        movl    4(%esp), %eax
        movl    %eax, g_inner+4
        movl    8(%esp), %eax
        movl    %eax, g_inner+8
        movl    12(%esp), %eax
        movl    %eax, g_inner+12
        movl    16(%esp), %eax
        movl    %eax, g_inner+16
        movl    20(%esp), %eax
        movl    %eax, g_inner+20
        movl    24(%esp), %eax
        movl    %eax, g_inner+24
        lret    $12
near_gate_target:                       # without a change of privilege
        movl    %esp, g_inner_esp
        movw    %cs, g_inner_cs
        lret
jump_gate_target:
        movw    %cs, g_inner_cs
        jmp     back_in_kernel
int_target:                             # of an interrupt or trap gate
        movl    %esp, g_inner_esp
        movw    %cs, g_inner_cs
        pushfl
        popl    g_inner_flags
        movl    8(%esp), %eax
        movl    %eax, g_inner+8
        iretl
narrow_caller:                          # runs where 16 bits of EIP are enough
        movl    %esp, g_outer_esp
        lcall   $0x30, $0
narrow_after_call:
        int     $0x42
narrow_after_int:
        lret
narrow_gate_target:                     # of 286 gates, which push words
        movl    %esp, g_inner_esp
        movl    (%esp), %eax
        movl    %eax, g_inner+0
        lretw
narrow_int_target:
        movl    %esp, g_inner_esp+4
        movl    (%esp), %eax
        movl    %eax, g_inner+4
        movl    4(%esp), %eax
        movl    %eax, g_inner+8
        iretw
        .popsection
)");
extern "C" char gate_target[], near_gate_target[], jump_gate_target[], int_target[], narrow_caller[],
    narrow_after_call[], narrow_after_int[], narrow_gate_target[], narrow_int_target[];

}  // namespace

extern "C" {
u32 g_outer_esp, g_inner_esp[2], g_inner[8], g_inner_flags, g_frame[6], g_frame_esp;
u16 g_inner_cs, g_inner_ss;
}

namespace {

void test_call_to_ring1() {
  slot(kGate) = make_gate(kRing1Code & ~3, address(gate_target), 0xec, 3);
  g_tss.esp1 = ring1_top();
  g_tss.ss1 = kRing1Data;
  Caught c = run_user(user_call);
  check_caught(c, 0x80, 0, user_call_end, "call gate to ring 1 and back");
  check_equal(g_inner_cs, kRing1Code, "CS has RPL 1");
  check_equal(g_inner_ss, kRing1Data, "SS comes from the TSS");
  check_equal(g_inner_esp[0], ring1_top() - 28, "return address, three parameters, outer stack");
  check_equal(g_inner[0], address(user_call_next), "return EIP; the offset in the CALL is ignored");
  check_equal(g_inner[1], kUserCode, "return CS");
  check(g_inner[2] == 1 && g_inner[3] == 2 && g_inner[4] == 3, "parameters in their order");
  check_equal(g_inner[5], g_outer_esp, "outer ESP");
  check_equal(g_inner[6], kUserData, "outer SS");
  check_equal(c.frame.ebx, g_outer_esp + 12, "RET 12 drops the parameters");
  check_equal(c.frame.esi, kUserCode, "CS after the return");
}

void test_call_errors() {
  check_caught(run_user(user_jump), 13, kRing1Code & ~3, user_jump_at, "JMP by gate to inner code");
  slot(kGate) = make_gate(kRing1Code & ~3, address(gate_target), 0xac, 3);  // DPL 1
  check_caught(run_user(user_call), 13, kGate, user_call_at, "a gate of DPL 1 from CPL 3");
  slot(kGate) = make_gate(kRing1Code & ~3, address(gate_target), 0xec, 0);
  const u32 esp1 = g_tss.esp1;
  g_tss.ss1 = 0;
  check_caught(run_user(user_call_rpl0), 10, 0, user_call_rpl0_at, "#TS(0): null SS in the TSS");
  g_tss.ss1 = kKernelData;
  check_caught(run_user(user_call_rpl0), 10, kKernelData, user_call_rpl0_at, "#TS: SS with another RPL");
  g_tss.ss1 = (kKernelData) | 1;
  check_caught(run_user(user_call_rpl0), 10, kKernelData, user_call_rpl0_at, "#TS: SS with another DPL");
  g_tss.ss1 = kBadStack | 1;
  slot(kBadStack) = make_descriptor(0, 0xfffff, 0xb1, 0xc);  // read-only
  check_caught(run_user(user_call_rpl0), 10, kBadStack, user_call_rpl0_at, "#TS: SS that can't be written");
  slot(kBadStack) = make_descriptor(0, 0xfffff, 0x33, 0xc);  // absent
  check_caught(run_user(user_call_rpl0), 12, kBadStack, user_call_rpl0_at, "#SS: SS absent");
  slot(kBadStack) = make_descriptor(address(g_ring1_stack), 15, 0xb3, 4);
  g_tss.esp1 = 12;  // no room for 16 bytes
  check_caught(run_user(user_call_rpl0), 12, kBadStack, user_call_rpl0_at, "#SS: no room on the inner stack");
  g_tss.esp1 = 16;
  slot(kGate) = make_gate(kRing1Code & ~3, address(near_gate_target), 0xec, 0);
  check_caught(run_user(user_call_rpl0), 0x80, 0, nullptr, "just enough room on the inner stack");
  g_tss.ss1 = kRing1Data;
  g_tss.esp1 = esp1;
  slot(kGate) = make_gate(0x7f8 & ~7, 0, 0xec, 0);
  check_caught(run_user(user_call_rpl0), 13, 0x7f8, user_call_rpl0_at, "#GP: target past the GDT");
  slot(kGate) = make_gate(kAbsent, 0, 0xec, 0);
  slot(kAbsent) = make_descriptor(0, 0xfffff, 0x1b, 0xc);
  check_caught(run_user(user_call_rpl0), 11, kAbsent, user_call_rpl0_at, "#NP: target absent");
  slot(kGate) = make_gate(kNarrowCode, 0x20000, 0xec, 0);
  slot(kNarrowCode) = make_descriptor(0, 0xffff, 0x9b, 4);
  check_caught(run_user(user_call_rpl0), 13, 0, user_call_rpl0_at, "#GP(0): offset past the target's limit");
  slot(kGate) = make_gate(kUserOnly, 0, 0x8c, 0);
  slot(kUserOnly) = make_descriptor(0, 0xfffff, 0xfb, 0xc);
  check_caught(run(kernel_call), 13, kUserOnly, kernel_call_at, "#GP: a gate to outer code");
}

void test_same_level() {
  slot(kGate) = make_gate(kKernelCode, address(near_gate_target), 0x8c, 3);
  check_none(run(kernel_call), "call gate without a change of level");
  check_equal(g_inner_cs, kKernelCode, "CS after it");
  slot(kGate) = make_gate(kKernelCode, address(jump_gate_target), 0x8c, 0);
  check_none(run(kernel_jump), "JMP by a call gate");
  slot(kConforming) = make_descriptor(0, 0xfffff, 0x9f, 0xc);
  slot(kGate) = make_gate(kConforming, address(near_gate_target), 0xec, 0);
  check_caught(run_user(user_call_rpl0), 0x80, 0, nullptr, "call gate to conforming code");
  check_equal(g_inner_cs, kConforming | 3, "which stays at CPL 3");
}

// Gates of the 286: words, so that the caller must stand below 64 KiB of its segment.
void test_narrow_gates() {
  const u32 start = address(narrow_caller) & ~0xffffu;
  slot(kNarrowCode) = make_descriptor(start, 0xffff, 0x9b, 4);
  slot(kGate) = make_gate(kNarrowCode, address(narrow_gate_target) - start, 0x84, 0);
  g_idt[0x42] = make_gate(kNarrowCode, address(narrow_int_target) - start, 0x86);
  const Caught c = run([](u32) {
    struct [[gnu::packed]] {
      u32 offset;
      u16 selector;
    } caller{address(narrow_caller) & 0xffff, kNarrowCode};
    asm volatile("lcall *%0" ::"m"(caller) : "eax", "memory", "cc");
  });
  check_none(c, "286 call and interrupt gates");
  check_equal(g_inner_esp[0], g_outer_esp - 4, "a 286 call gate pushes two words");
  check_equal(g_inner[0], (address(narrow_after_call) - start) | u32{kNarrowCode} << 16,
              "its return address");
  check_equal(g_inner_esp[1], g_outer_esp - 6, "a 286 interrupt gate pushes three words");
  check_equal(g_inner[1], (address(narrow_after_int) - start) | u32{kNarrowCode} << 16,
              "its return address, too");
}

void test_interrupt_gates() {
  g_idt[0x42] = make_gate(kKernelCode, address(int_target), 0xee);
  check_none(run([](u32) {
               asm volatile("sti\n int $0x42\n cli" ::: "eax", "memory");
             }),
             "interrupt gate at CPL 0");
  check_equal(g_inner_flags & kIf, 0, "an interrupt gate clears IF");
  check_equal(g_inner[2] & kIf, kIf, "the saved flags have IF");
  g_idt[0x42] = make_gate(kKernelCode, address(int_target), 0xef);
  run([](u32) { asm volatile("sti\n int $0x42\n cli" ::: "eax", "memory"); });
  check_equal(g_inner_flags & kIf, kIf, "a trap gate leaves IF");
  run([](u32) {
    asm volatile("pushl $0x4002\n popfl\n int $0x42\n pushl $2\n popfl" ::: "eax", "memory", "cc");
  });
  check_equal(g_inner_flags & kNt, 0, "a gate clears NT");
  check_equal(g_inner[2] & kNt, kNt, "the saved flags have NT");
  check_none(run(kernel_int), "INT n without a change of level");
  check_equal(g_inner_esp[0], g_outer_esp - 12, "pushes three words");
  Caught c = run_user(user_int);
  check_caught(c, 0x80, 0, nullptr, "INT n from CPL 3 and back");
  check_equal(g_inner_esp[0], g_tss.esp0 - 20, "pushes five words on the inner stack");
  g_idt[0x42] = make_gate(kRing1Code & ~3, address(int_target), 0xee);
  c = run_user(user_int);
  check_caught(c, 0x80, 0, nullptr, "an interrupt gate to ring 1");
  check_equal(g_inner_cs, kRing1Code, "its CS");
  check_equal(g_inner_esp[0], ring1_top() - 20, "its stack");
  check_caught(run(kernel_int), 13, kRing1Code & ~3, kernel_int_at, "#GP: an interrupt gate to outer code");
  g_idt[0x42] = make_gate(kConforming, address(int_target), 0xee);
  c = run_user(user_int);
  check_caught(c, 0x80, 0, nullptr, "an interrupt gate to conforming code");
  check_equal(g_inner_cs, kConforming | 3, "stays at CPL 3");
  check_equal(g_inner_esp[0], g_outer_esp - 12, "and on its stack");
  // Inner stack of an interrupt: #TS with EXT clear for INT n.
  g_idt[0x42] = make_gate(kRing1Code & ~3, address(int_target), 0xee);
  g_tss.ss1 = kKernelData | 1;
  check_caught(run_user(user_int), 10, kKernelData, user_int_at, "#TS: a bad SS for INT n");
  g_tss.ss1 = 0;
  check_caught(run_user(user_int), 10, 0, user_int_at, "#TS(0): a null SS for INT n");
  g_tss.ss1 = kRing1Data;
}

}  // namespace

namespace {

// IRET with a frame of the caller's: EIP, CS, EFLAGS, ESP, SS.
SNIPPET(do_iret,
        "movl %esp, g_frame_esp\n pushl g_frame+16\n pushl g_frame+12\n pushl g_frame+8\n pushl g_frame+4\n"
        " pushl g_frame",
        "iretl", "");
SNIPPET(do_lret,
        "movl %esp, g_frame_esp\n pushl g_frame+16\n pushl g_frame+12\n pushl g_frame+4\n pushl g_frame",
        "lret", "");
SNIPPET(outer_landing, "", "int $0x80", "");

void set_frame(u32 eip, u32 cs, u32 flags, u32 esp, u32 ss) {
  g_frame[0] = eip;
  g_frame[1] = cs;
  g_frame[2] = flags;
  g_frame[3] = esp;
  g_frame[4] = ss;
}

// Names of the checks: in the order of the checks.
void test_returns_outward(void (*code)(u32), const char* at, const char* const (&names)[10]) {
  const u32 to = address(outer_landing_at);
  const u32 esp = user_stack_top();
  set_frame(to, kUserCode, 2, esp, kUserData);
  Caught c = run(code);
  check_caught(c, 0x80, 0, nullptr, names[0]);
  check(c.cs == kUserCode && c.ss == kUserData && c.esp == esp, names[1]);
  check((c.frame.ds & 0xffff) == 0 && (c.frame.gs & 0xffff) == 0, names[2]);
  set_frame(to, 0, 2, esp, kUserData);
  check_caught(run(code), 13, 0, at, names[3]);
  set_frame(to, kUserCode & ~3, 2, esp, kUserData);  // RPL 0, DPL 3
  check_caught(run(code), 13, kUserCode & ~3, at, names[4]);
  set_frame(to, kKernelCode | 3, 2, esp, kUserData);
  check_caught(run(code), 13, kKernelCode, at, names[5]);
  set_frame(to, kUserCode, 2, esp, 0);
  check_caught(run(code), 13, 0, at, names[6]);
  set_frame(to, kUserCode, 2, esp, kUserData & ~3);
  check_caught(run(code), 13, kUserData & ~3, at, names[7]);
  set_frame(to, kUserCode, 2, esp, kUserCode);
  check_caught(run(code), 13, kUserCode & ~3, at, names[8]);
  slot(kAbsent) = make_descriptor(0, 0xfffff, 0x73, 0xc);
  set_frame(to, kUserCode, 2, esp, kAbsent | 3);
  check_caught(run(code), 12, kAbsent, at, names[9]);
}

void test_returns() {
  test_returns_outward(do_iret, do_iret_at,
                       {"IRET to CPL 3", "IRET: its CS, SS and ESP", "IRET empties inner data segments",
                        "IRET #GP(0): null CS", "IRET #GP: RPL below the code's DPL",
                        "IRET #GP: DPL isn't RPL", "IRET #GP(0): null SS", "IRET #GP: SS with another RPL",
                        "IRET #GP: SS of code", "IRET #SS: SS absent"});
  test_returns_outward(
      do_lret, do_lret_at,
      {"RET to CPL 3", "RET: its CS, SS and ESP", "RET empties inner data segments", "RET #GP(0): null CS",
       "RET #GP: RPL below the code's DPL", "RET #GP: DPL isn't RPL", "RET #GP(0): null SS",
       "RET #GP: SS with another RPL", "RET #GP: SS of code", "RET #SS: SS absent"});
  slot(kUserOnly) = make_descriptor(0, 0xff, 0xfb, 4);
  set_frame(0x100, kUserOnly | 3, 2, user_stack_top(), kUserData);
  check_caught(run(do_iret), 13, 0, do_iret_at, "IRET #GP(0): EIP past the limit");
  set_frame(address(outer_landing_at), kUserCode, kIopl3 | kIf | 0xcd7, user_stack_top(), kUserData);
  check_equal(run(do_iret).eflags & 0x3fff, kIopl3 | kIf | 0xcd7, "IRET at CPL 0 loads IOPL and IF");
  set_frame(address(outer_landing_at), kUserCode, 0x240002, user_stack_top(), kUserData);
  check_equal(run(do_iret).eflags & 0x240000, 0x240000, "and AC and ID");
  slot(kAbsent) = make_descriptor(0, 0xfffff, 0x7b, 0xc);
  set_frame(address(outer_landing_at), kAbsent | 3, 2, user_stack_top(), kUserData);
  check_caught(run(do_iret), 11, kAbsent, do_iret_at, "IRET #NP: code absent");
  set_frame(address(outer_landing_at), kUserData, 2, user_stack_top(), kUserData);
  check_caught(run(do_iret), 13, kUserData & ~3, do_iret_at, "IRET #GP: CS of data");
}

}  // namespace

void guest_main() {
  slot(kRing1Code) = make_descriptor(0, 0xfffff, 0xbb, 0xc);
  slot(kRing1Data) = make_descriptor(0, 0xfffff, 0xb3, 0xc);
  test_call_to_ring1();
  test_call_errors();
  test_same_level();
  test_narrow_gates();
  test_interrupt_gates();
  test_returns();
}
