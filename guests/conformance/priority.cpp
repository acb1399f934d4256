// Guest: which of several exceptions comes (SDM vol. 3A 6.9, table 6-2), and double faults (table 6-5).
#include "runtime/paging.h"

namespace {

alignas(4096) u8 g_pages[4][4096];
constexpr u16 kSmall = 0x30;  // a segment of 16 bytes whose page is absent

u32 page(u32 i) { return reinterpret_cast<u32>(g_pages[i]); }
void set_page(u32 i, u32 flags) {
  page_entry(page(i)) = page(i) | flags;
  flush_page(g_pages[i]);
}

SNIPPET(limit_or_page, "movl 4(%esp), %ebx\n movl $0x30, %eax\n movl %eax, %fs", "movl %fs:(%ebx), %eax", "");
SNIPPET(divide_memory, "movl 4(%esp), %ebx\n movl $1, %eax\n xorl %edx, %edx", "divl (%ebx)", "");
SNIPPET(x87_memory, "movl 4(%esp), %ebx", "fldl (%ebx)", "");
SNIPPET(mmx_memory, "movl 4(%esp), %ebx", "movq (%ebx), %mm0", "");
SNIPPET(lock_memory, "movl 4(%esp), %ebx", ".byte 0xf0, 0x8b, 0x03", "");  // LOCK MOV EAX, [EBX]
SNIPPET(lock_x87, "movl 4(%esp), %ebx", ".byte 0xf0, 0xdd, 0x03", "");     // LOCK FLD [EBX]
SNIPPET(bound_memory, "movl 4(%esp), %ebx\n movl $5, %eax", "bound %eax, (%ebx)", "");
SNIPPET(user_lgdt, "movl g_priority_address, %ebx", "lgdt (%ebx)", "int $0x80");
SNIPPET(user_ltr, "movl g_priority_address, %ebx", "ltr (%ebx)", "int $0x80");
SNIPPET(user_invlpg, "movl g_priority_address, %ebx", "invlpg (%ebx)", "int $0x80");
SNIPPET(user_in_string, "movl g_priority_address, %edi\n movw $0x80, %dx", "insb", "int $0x80");
SNIPPET(user_out_string, "movl g_priority_address, %esi\n movw $0x80, %dx", "outsb", "int $0x80");
SNIPPET(user_cr1, "", ".byte 0x0f, 0x20, 0xc8", "int $0x80");  // MOV EAX, CR1
SNIPPET(longest, "", ".fill 14, 1, 0x66\n nop", "nop");
SNIPPET(too_long, "", ".fill 15, 1, 0x66\n ud2", "nop");
SNIPPET(undefined, "nop", "ud2", "nop");
SNIPPET(divide, "xorl %ecx, %ecx", "divl %ecx", "nop");
SNIPPET(step_into_fault, "xorl %ecx, %ecx\n pushfl\n orl $0x100, (%esp)\n popfl\n nop", "divl %ecx", "");
SNIPPET(step_the_fault, "xorl %ecx, %ecx\n pushfl\n orl $0x100, (%esp)\n popfl", "divl %ecx", "");
SNIPPET(step_and_watch, "pushfl\n orl $0x100, (%esp)\n popfl", "movl %eax, g_priority_word", "nop");
SNIPPET(jump_to, "movl 4(%esp), %ebx", "jmp *%ebx", "");
SNIPPET(push_at, "movl %esp, %ecx\n movl 4(%esp), %esp", "pushl %eax", "movl %ecx, %esp");

}  // namespace

extern "C" {
u32 g_priority_address, g_priority_word;
}

namespace {

void test_operands() {
  set_page(0, 0);
  g_gdt[kSmall >> 3] = make_descriptor(page(0), 15, 0x93, 4);
  check_caught(run(limit_or_page, 16), 13, 0, limit_or_page_at, "#GP of the limit before #PF");
  check_page_fault(run(limit_or_page, 12), 0, limit_or_page_at, page(0) + 12, "#PF inside the limit");
  check_page_fault(run(divide_memory, page(0)), 0, divide_memory_at, page(0),
                   "#PF of the operand before #DE");
  check_page_fault(run(bound_memory, page(0)), 0, bound_memory_at, page(0), "#PF of the operand before #BR");
  check_caught(run(lock_memory, page(0)), 6, 0, lock_memory_at, "#UD of LOCK before #PF");
  write_cr0((read_cr0() & ~4u) | 0xa);  // TS and MP
  check_caught(run(x87_memory, page(0)), 7, 0, x87_memory_at, "#NM before #PF");
  check_caught(run(mmx_memory, page(0)), 7, 0, mmx_memory_at, "#NM of MMX before #PF");
  check_caught(run(lock_x87, page(0)), 6, 0, lock_x87_at, "#UD of LOCK before #NM");
  write_cr0(read_cr0() | 4);  // EM too
  check_caught(run(mmx_memory, page(0)), 6, 0, mmx_memory_at, "#UD of EM before #NM of TS");
  write_cr0(read_cr0() & ~0xcu);
  set_page(0, kPresent | kWritable | kUser);
}

void test_privilege() {
  set_page(0, 0);
  g_priority_address = page(0);
  check_caught(run_user(user_lgdt), 13, 0, user_lgdt_at, "LGDT at CPL 3: #GP before #PF");
  check_caught(run_user(user_ltr), 13, 0, user_ltr_at, "LTR at CPL 3: #GP before #PF");
  check_caught(run_user(user_invlpg), 13, 0, user_invlpg_at, "INVLPG at CPL 3: #GP");
  check_caught(run_user(user_in_string), 13, 0, user_in_string_at, "INS: #GP of the bitmap before #PF");
  check_caught(run_user(user_out_string), 13, 0, user_out_string_at, "OUTS: #GP of the bitmap before #PF");
  check_page_fault(run_user(user_in_string, 0x3002), 6, user_in_string_at, page(0), "INS with IOPL 3: #PF");
  check_page_fault(run_user(user_out_string, 0x3002), 4, user_out_string_at, page(0),
                   "OUTS with IOPL 3: #PF");
  check_caught(run_user(user_cr1), 6, 0, user_cr1_at, "MOV CR1 at CPL 3: #UD before #GP");
  set_page(0, kPresent | kWritable | kUser);
}

void test_fetch() {
  check_none(run(longest), "15 bytes are no more than an instruction may have");
  check_caught(run(too_long), 13, 0, too_long_at, "#GP(0) of length before #UD");
  // 0F at the end of a page, the second byte of the opcode on an absent one.
  set_page(1, 0);
  g_pages[0][4095] = 0x0f;
  u8* const split = g_pages[1] - 1;
  check_page_fault(run(jump_to, page(1) - 1), 0, split, page(1), "#PF of the fetch before #UD");
  write_dr0(page(1) - 1);
  write_dr6(0);
  write_dr7(0x402);
  Caught c = run(jump_to, page(1) - 1);
  check_caught(c, 1, 0, split, "code breakpoint before #PF of the fetch");
  write_dr0(reinterpret_cast<u32>(undefined_at));
  c = run(undefined);
  check_caught(c, 1, 0, undefined_at, "code breakpoint before #UD");
  write_dr7(0x400);
  set_page(1, kPresent | kWritable | kUser);
}

void test_traps() {
  check_caught(run(step_into_fault), 1, 0, step_into_fault_at, "the trap of the step before");
  check_caught(run(step_the_fault), 0, 0, step_the_fault_at, "a fault takes the place of its step's trap");
  write_dr6(0);
  write_dr0(reinterpret_cast<u32>(&g_priority_word));
  write_dr7(0x402 | 0xdu << 16);
  const Caught c = run(step_and_watch);
  write_dr7(0x400);
  check_caught(c, 1, 0, step_and_watch_next, "a step and a data breakpoint are one #DB");
  check_equal(c.dr6 & 0xe00f, 0x4001, "DR6 names both");
  write_dr6(0);
}

void test_delivery_pairs() {
  // One pair of each kind of table 6-5, by gates that are missing: the first exception's gate raises #GP or
  // #NP.
  const auto with = [](u32 gate_of_first, u64 gate, void (*code)(u32), u32 argument = 0) {
    const u64 saved = g_idt[gate_of_first];
    g_idt[gate_of_first] = gate;
    const Caught c = run(code, argument);
    g_idt[gate_of_first] = saved;
    return c;
  };
  const u64 absent = make_gate(kKernelCode, 0, 0x0e);
  check_caught(with(6, absent, undefined), 11, 6 * 8 + 3, undefined_at, "benign, then #NP: #NP with EXT");
  check_caught(with(0, absent, divide), 8, 0, nullptr, "#DE, then #NP: #DF");
  set_page(0, 0);
  check_caught(with(14, absent, jump_to, page(0)), 8, 0, nullptr, "#PF, then #NP: #DF");
  check_caught(with(14, 0, jump_to, page(0)), 8, 0, nullptr, "#PF, then #GP: #DF");
  set_page(0, kPresent | kWritable | kUser);
}

// An IDT whose vectors 0 to 13 stand on one page and the rest on the next.
void test_idt_pages() {
  u64* const idt = reinterpret_cast<u64*>(page(3) - 14 * 8);
  memory_copy(idt, g_idt, 256 * 8);
  struct [[gnu::packed]] {
    u16 limit;
    const void* base;
  } table{256 * 8 - 1, idt};
  asm volatile("lidt %0" ::"m"(table));
  set_page(2, 0);
  check_page_fault(run(divide), 0, divide_at, reinterpret_cast<u32>(idt), "#DE, then #PF: #PF");
  set_page(2, kPresent | kWritable | kUser);
  set_page(3, 0);
  set_page(1, 0);
  check_caught(run(jump_to, page(1)), 8, 0, nullptr, "#PF, then #PF: #DF");
  set_page(3, kPresent | kWritable | kUser);
  set_page(1, kPresent | kWritable | kUser);
  // The IDT's limit.
  table.limit = 6 * 8 + 6;
  asm volatile("lidt %0" ::"m"(table));
  check_caught(run([](u32) { asm volatile("int3"); }), 3, 0, nullptr, "a vector inside the IDT's limit");
  table.base = g_idt;
  table.limit = sizeof g_idt - 1;
  asm volatile("lidt %0" ::"m"(table));
  table.limit = 0x80 * 8 - 1;
  asm volatile("lidt %0" ::"m"(table));
  check_caught(run([](u32) { asm volatile("int $0x80"); }), 13, 0x80 * 8 + 2, nullptr,
               "#GP(IDT): a vector past the IDT's limit");
  table.limit = 0x80 * 8 + 6;
  asm volatile("lidt %0" ::"m"(table));
  check_caught(run([](u32) { asm volatile("int $0x80"); }), 13, 0x80 * 8 + 2, nullptr,
               "#GP(IDT): a gate of which one byte is past the limit");
  table.limit = sizeof g_idt - 1;
  asm volatile("lidt %0" ::"m"(table));
}

}  // namespace

void guest_main() {
  enable_paging();
  test_operands();
  test_privilege();
  test_fetch();
  test_traps();
  test_delivery_pairs();
  test_idt_pages();
  disable_paging();
}
