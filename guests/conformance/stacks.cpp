// Guest: stack segments of 16 and 32 bits: limits, wrap, expand-down; and what may be loaded where (SDM vol.
// 3A 5.3-5.5).
#include "runtime/runtime.h"

namespace {

constexpr u16 kStack = 0x30, kData = 0x38, kCode16 = 0x40;
alignas(16) u8 g_area[0x11000];
u64& slot(u16 selector) { return g_gdt[selector >> 3]; }
u32 base() { return reinterpret_cast<u32>(g_area); }
u32 at(u32 offset) { return *reinterpret_cast<volatile u32*>(g_area + offset); }

// SS = kStack, ESP = argument; back afterwards. ESP as it was left is in g_stacks_esp. While the odd stack is
// in use no exception can be taken but by a task gate or from CPL 3, so those checks run at CPL 3.
#define ON_STACK(name, insn)                                                                             \
  SNIPPET(name,                                                                                          \
          "movl %esp, %ebp\n movl 4(%esp), %ecx\n movl $0x30, %eax\n movl %eax, %ss\n movl %ecx, %esp\n" \
          "movl $0x11223344, %eax",                                                                      \
          insn, "movl %esp, g_stacks_esp\n movl $0x10, %ecx\n movl %ecx, %ss\n movl %ebp, %esp")
ON_STACK(push4, "pushl %eax");
ON_STACK(push2, "pushw %ax");
ON_STACK(pop4, "popl %edx");
ON_STACK(pop2, "popw %dx");
ON_STACK(push_flags, "pushfl\n");
ON_STACK(call_near, "call 1f\n 1:");
ON_STACK(enter_leave, "movl %ebp, %esi\n enter $4, $0\n movl %ebp, %edi\n leave\n movl %esi, %ebp");
ON_STACK(push_pop_all, "movl %ebp, g_stacks_ebp\n pushal\n popal\n movl g_stacks_ebp, %ebp");
#undef ON_STACK

// At CPL 3: SS = kStack | 3, ESP in g_stacks_esp.
#define USER_STACK(name, insn)                                                                               \
  SNIPPET(name,                                                                                              \
          "movl $0x33, %eax\n movl g_stacks_esp, %ecx\n movl %eax, %ss\n movl %ecx, %esp\n movl %esp, %ebp", \
          insn, "int $0x80")
USER_STACK(user_push4, "pushl %eax");
USER_STACK(user_push2, "pushw %ax");
USER_STACK(user_pop4, "popl %eax");
USER_STACK(user_call, "call 1f\n 1:");
USER_STACK(user_by_ebp, "movl (%ebp), %eax");
USER_STACK(user_by_esp, "movl (%esp), %eax");
USER_STACK(user_by_override, "movl %ss:(%ecx), %eax");
USER_STACK(user_enter, "enter $16, $0");
USER_STACK(user_push_all, "pushal");
USER_STACK(user_leave, "leave");
USER_STACK(user_by_ds, "movl %ds:(%ebp), %edx");
#undef USER_STACK
SNIPPET(load_ds, "movl 4(%esp), %eax", "movl %eax, %ds", "movl $0x10, %eax\n movl %eax, %ds");
SNIPPET(load_ss, "movl 4(%esp), %eax", "movl %eax, %ss", "movl $0x10, %eax\n movl %eax, %ss");
SNIPPET(pop_es, "pushl 4(%esp)", "popl %es", "");
SNIPPET(load_by_les, "pushl 4(%esp)\n pushl $0", "les (%esp), %eax", "addl $8, %esp");
SNIPPET(null_read, "xorl %eax, %eax\n movl %eax, %gs", "movl %gs:(%eax), %eax", "");
SNIPPET(null_write, "xorl %eax, %eax\n movl %eax, %es", "stosb", "");
SNIPPET(null_lea, "xorl %eax, %eax\n movl %eax, %gs", "lea %gs:(%eax), %eax", "");
SNIPPET(null_rpl, "movl $3, %eax\n movl %eax, %gs", "movl %gs:0, %eax", "");
SNIPPET(user_load_data, "movl g_stacks_selector, %eax", "movl %eax, %ds", "int $0x80");
SNIPPET(far_to_16, "", "lcall $0x40, $far_16 - far_16_base", "");
asm(R"(
        .pushsection .text
        .globl  far_16_base, far_16
far_16_base:
        .code16
far_16: movw    $0x1234, %ax
        data32 lret
        .code32
        .popsection
)");
extern "C" char far_16_base[], far_16[];

}  // namespace

extern "C" {
u32 g_stacks_esp, g_stacks_ebp, g_stacks_selector;
}

namespace {

void test_narrow() {
  slot(kStack) = make_descriptor(base(), 0xffff, 0x93, 0);  // B = 0
  check_none(run(push4, 0xabcd0100), "SS.B = 0: PUSH");
  check_equal(g_stacks_esp, 0xabcd00fc, "SP moves, the upper half of ESP stays");
  check_equal(at(0xfc), 0x11223344, "the address is SP");
  run(push2, 0xabcd0000);
  check_equal(g_stacks_esp, 0xabcdfffe, "SP wraps from 0 to FFFE");
  check_equal(at(0xfffe) & 0xffff, 0x3344, "what was pushed there");
  run(pop2, 0xabcdfffe);
  check_equal(g_stacks_esp, 0xabcd0000, "SP wraps from FFFE to 0");
  run(call_near, 0xabcd0200);
  check_equal(g_stacks_esp, 0xabcd01fc, "CALL moves SP");
  run(enter_leave, 0xabcd0300);
  check_equal(g_stacks_esp, 0xabcd0300, "ENTER and LEAVE");
  run(push_pop_all, 0xabcd0400);
  check_equal(g_stacks_esp, 0xabcd0400, "PUSHA and POPA");
  slot(kStack) = make_descriptor(base(), 0xffff, 0x93, 4);  // B = 1
  run(push4, 0x0100);
  check_equal(g_stacks_esp, 0xfc, "SS.B = 1: ESP moves");
  run(pop4, 0xfc);
  check_equal(g_stacks_esp, 0x100, "SS.B = 1: POP");
  run(push_flags, 0x800);
  check_equal(g_stacks_esp, 0x7fc, "SS.B = 1: PUSHF");
}

void test_limits() {
  const auto with = [](u32 esp, void (*code)(u32)) {
    g_stacks_esp = esp;
    return run_user(code);
  };
  slot(kStack) = make_descriptor(base(), 0xfff, 0xf3, 4);
  check_caught(with(0x1004, user_push4), 12, 0, user_push4_at, "#SS(0): PUSH past the limit");
  check_caught(with(0x1000, user_push4), 0x80, 0, nullptr, "PUSH just inside it");
  check_caught(with(0x1002, user_push4), 12, 0, user_push4_at, "#SS(0): PUSH half past it");
  check_caught(with(0, user_push4), 12, 0, user_push4_at, "#SS(0): PUSH that wraps");
  check_caught(with(2, user_push4), 12, 0, user_push4_at, "#SS(0): PUSH that wraps half");
  check_caught(with(0xffd, user_pop4), 12, 0, user_pop4_at, "#SS(0): POP past the limit");
  check_caught(with(0, user_push2), 12, 0, user_push2_at, "#SS(0): PUSH of a word that wraps");
  check_caught(with(0x1008, user_call), 12, 0, user_call_at, "#SS(0): CALL");
  check_caught(with(0x1000, user_by_ebp), 12, 0, user_by_ebp_at, "#SS(0): EBP");
  check_caught(with(0x1000, user_by_esp), 12, 0, user_by_esp_at, "#SS(0): ESP");
  check_caught(with(0x1000, user_by_override), 12, 0, user_by_override_at, "#SS(0): an SS override");
  check_caught(with(4, user_enter), 12, 0, user_enter_at, "#SS(0): ENTER, whose new ESP is outside");
  check_caught(with(0x10, user_push_all), 12, 0, user_push_all_at, "#SS(0): PUSHA");
  check_caught(with(0x1000, user_leave), 12, 0, user_leave_at, "#SS(0): LEAVE");
  Caught c = with(0x1004, user_push4);
  check_equal(c.esp, 0x1004, "ESP stays after the fault");
  slot(kStack) = make_descriptor(base(), 0xfff, 0xf7, 4);  // expand-down, to FFFFFFFF
  check_caught(with(0x1000, user_push4), 12, 0, user_push4_at, "#SS(0): expand-down, below the limit");
  check_caught(with(0x1004, user_push4), 0x80, 0, nullptr, "expand-down: just above it");
  slot(kStack) = make_descriptor(base(), 0xfff, 0xf7, 0);  // expand-down, to FFFF
  check_caught(with(0x1002, user_push4), 12, 0, user_push4_at, "#SS(0): expand-down of 16 bits, below");
  check_caught(with(0x0001, user_push2), 12, 0, user_push2_at,
               "#SS(0): expand-down of 16 bits, a word at FFFF");
  check_caught(with(0x0000, user_push4), 0x80, 0, nullptr, "expand-down of 16 bits: four bytes at FFFC");
  slot(kStack) = make_descriptor(base(), 0xfff, 0xf3, 4);
  slot(kData) = make_descriptor(base(), 0xfff, 0xf3, 4);
  check_caught(with(0x1000, user_by_ds), 0x80, 0, nullptr, "EBP with a DS override isn't the stack's");
}

void test_loads() {
  slot(kData) = make_descriptor(0, 0xfffff, 0xf3, 0xc);
  check_none(run(load_ds, kData), "DS: DPL 3 at CPL 0");
  check_none(run(load_ds, kData | 3), "DS: RPL 3, DPL 3");
  slot(kData) = make_descriptor(0, 0xfffff, 0x93, 0xc);
  check_caught(run(load_ds, kData | 3), 13, kData, load_ds_at, "DS: RPL 3, DPL 0");
  check_caught(run(load_ds, kData | 1), 13, kData, load_ds_at, "DS: RPL 1, DPL 0");
  check_none(run(load_ds, 0), "DS: null");
  check_none(run(load_ds, 3), "DS: null with an RPL");
  check_caught(run(null_read), 13, 0, null_read_at, "a read by a null segment");
  check_caught(run(null_write), 13, 0, null_write_at, "a write by a null segment");
  check_caught(run(null_rpl), 13, 0, null_rpl_at, "a read by a null segment with an RPL");
  check_none(run(null_lea), "LEA by a null segment");
  check_caught(run(load_ds, kTssSelector), 13, kTssSelector, load_ds_at, "DS: a TSS");
  slot(kData) = make_gate(kKernelCode, 0, 0x8c);
  check_caught(run(load_ds, kData), 13, kData, load_ds_at, "DS: a gate");
  slot(kData) = make_descriptor(0, 0xfffff, 0x9c, 0xc);  // conforming, execute-only
  check_caught(run(load_ds, kData), 13, kData, load_ds_at, "DS: execute-only conforming code");
  slot(kData) = make_descriptor(0, 0xfffff, 0x9e, 0xc);
  check_none(run(load_ds, kData | 3), "DS: readable conforming code with RPL 3");
  slot(kData) = make_descriptor(0, 0xfffff, 0x13, 0xc);
  check_caught(run(load_ds, kData), 11, kData, load_ds_at, "DS: absent");
  check_caught(run(pop_es, kData), 11, kData, pop_es_at, "POP ES: absent");
  check_caught(run(load_by_les, kData), 11, kData, load_by_les_at, "LES: absent");
  check_caught(run(load_ss, kData), 12, kData, load_ss_at, "SS: absent is #SS");
  check_caught(run(load_ss, 0), 13, 0, load_ss_at, "SS: null");
  check_caught(run(load_ss, kKernelData | 1), 13, kKernelData, load_ss_at, "SS: RPL 1 at CPL 0");
  check_caught(run(load_ss, kKernelCode), 13, kKernelCode, load_ss_at, "SS: code");
  check_caught(run(load_ss, kTssSelector), 13, kTssSelector, load_ss_at, "SS: a TSS");
  check_caught(run(load_ss, 0x7f8), 13, 0x7f8, load_ss_at, "SS: past the GDT");
  slot(kData) = make_descriptor(0, 0xfffff, 0xb3, 0xc);  // DPL 1
  g_stacks_selector = kData | 3;
  check_caught(run_user(user_load_data), 13, kData, user_load_data_at, "DS at CPL 3: DPL 1");
  slot(kData) = make_descriptor(0, 0xfffff, 0xf3, 0xc);
  g_stacks_selector = kData;
  check_caught(run_user(user_load_data), 0x80, 0, nullptr, "DS at CPL 3: DPL 3, RPL 0");
  // The first byte past the descriptor's own end of the table.
  slot(kCode16) = make_descriptor(reinterpret_cast<u32>(far_16_base), 0xffff, 0x9a, 0);
  check_none(run(far_to_16), "far CALL to 16-bit code and back");
  check_equal(static_cast<u32>(slot(kCode16) >> 40) & 1, 1, "a load of CS sets the accessed bit");
}

}  // namespace

void guest_main() {
  test_narrow();
  test_limits();
  test_loads();
}
