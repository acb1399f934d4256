// Guest: page faults in the middle of an instruction, and accesses that an instruction makes on the side.
//
// Restart: SDM vol. 3A 6.6. Implicit supervisor accesses to descriptor tables: 4.6.1. Accessed bits: 3.4.5.1.
#include "runtime/paging.h"

namespace {

alignas(4096) u8 g_pages[6][4096];
constexpr u16 kFree = 0x30;
u32 page(u32 i) { return reinterpret_cast<u32>(g_pages[i]); }
void set_page(u32 i, u32 flags) {
  page_entry(page(i)) = page(i) | flags;
  flush_page(g_pages[i]);
}
constexpr u32 kOpen = kPresent | kWritable | kUser;

// At CPL 3, on the stack that run_user() gives: the handler must have another.
SNIPPET(push_all, "movl $0x1111, %eax\n movl $0x7777, %edi", "pushal", "int $0x80");
SNIPPET(pop_all, "", "popal", "int $0x80");
SNIPPET(enter_frame, "movl $0x4321, %ebp", "enter $8, $0", "int $0x80");
SNIPPET(push_on, "", "pushl %eax", "int $0x80");
SNIPPET(call_on, "", "call 1f", "1: int $0x80");
SNIPPET(near_return, "", "ret", "int $0x80");
SNIPPET(interrupt_return, "", "iretl", "int $0x80");
SNIPPET(push_memory, "movl 4(%esp), %ebx", "pushl (%ebx)", "addl $4, %esp");
SNIPPET(pop_memory, "movl 4(%esp), %ebx\n pushl $0x1234", "popl (%ebx)", "");
SNIPPET(call_memory, "movl 4(%esp), %ebx", "call *(%ebx)", "");
SNIPPET(far_pointer, "movl 4(%esp), %ebx", "lfs (%ebx), %eax", "");
SNIPPET(load_fs, "movl 4(%esp), %eax", "movl %eax, %fs", "");
SNIPPET(bit_set, "movl 4(%esp), %ebx\n movl $8*4096, %eax", "btsl %eax, (%ebx)", "");
SNIPPET(store_sidt, "movl 4(%esp), %ebx", "sidt (%ebx)", "");
SNIPPET(table_load, "movl 4(%esp), %ebx", "lgdt (%ebx)", "");
SNIPPET(save_x87, "movl 4(%esp), %ebx", "fnsave (%ebx)", "fninit");
SNIPPET(store_ten, "fninit\n fld1\n movl 4(%esp), %ebx", "fstpt (%ebx)", "fninit");

// String instructions: ESI, EDI and ECX stand in g_restart_*.
#define STRING(name, before, insn)                                                                         \
  SNIPPET(name, "movl g_restart_esi, %esi\n movl g_restart_edi, %edi\n movl g_restart_ecx, %ecx\n" before, \
          insn, "cld\n movl %esi, g_restart_esi\n movl %edi, g_restart_edi\n movl %ecx, g_restart_ecx")
STRING(move_bytes, "", "rep movsb");
STRING(move_words, "", "rep movsw");
STRING(move_longs, "", "rep movsl");
STRING(move_down, "std", "rep movsl");
STRING(fill_longs, "movl $0x5a5a5a5a, %eax", "rep stosl");
STRING(load_longs, "", "rep lodsl");
STRING(compare_bytes, "", "repe cmpsb");
STRING(scan_bytes, "movb $7, %al", "repne scasb");
STRING(in_bytes, "movw $0x80, %dx", "rep insb");
STRING(out_bytes, "movw $0x80, %dx", "rep outsb");
#undef STRING
SNIPPET(user_load_fs, "movl $0x33, %eax", "movl %eax, %fs", "int $0x80");
SNIPPET(user_load_ldt, "movl $0xf, %eax", "movl %eax, %fs", "int $0x80");
SNIPPET(user_nothing, "", "int $0x80", "");
SNIPPET(user_modify, "movl g_restart_edi, %ebx", "addl $1, (%ebx)", "int $0x80");
SNIPPET(user_move, "movl g_restart_esi, %esi\n movl g_restart_edi, %edi\n movl $16, %ecx", "rep movsb",
        "int $0x80");

}  // namespace

extern "C" {
u32 g_restart_esi, g_restart_edi, g_restart_ecx;
}

namespace {

Caught on_stack(void (*code)(u32), u32 esp) { return run_user(code, 2, esp); }

void test_stack() {
  set_page(0, 0);
  set_page(1, kOpen);
  Caught c = on_stack(push_all, page(1) + 16);
  // Which of the absent words CR2 names isn't said.
  check(c.any && c.vector == 14 && c.error == 6 && (c.cr2 & ~0xfffu) == page(0) &&
            c.eip == reinterpret_cast<u32>(push_all_at),
        "PUSHA: four of eight");
  check(c.esp == page(1) + 16 && c.frame.eax == 0x1111 && c.frame.edi == 0x7777,
        "PUSHA: registers and ESP stay");
  check_caught(on_stack(push_all, page(1) + 32), 0x80, 0, nullptr, "PUSHA that just fits");
  c = on_stack(enter_frame, page(1));
  check_page_fault(c, 6, enter_frame_at, page(1) - 4, "ENTER");
  check(c.esp == page(1) && c.frame.ebp == 0x4321, "ENTER: ESP and EBP stay");
  c = on_stack(push_on, page(1));
  check_page_fault(c, 6, push_on_at, page(1) - 4, "PUSH");
  check_equal(c.esp, page(1), "PUSH: ESP stays");
  c = on_stack(call_on, page(1));
  check_page_fault(c, 6, call_on_at, page(1) - 4, "CALL");
  check_equal(c.esp, page(1), "CALL: ESP stays");
  set_page(0, kOpen);
  set_page(1, 0);
  c = on_stack(pop_all, page(1) - 16);
  check(c.any && c.vector == 14 && c.error == 4 && (c.cr2 & ~0xfffu) == page(1) &&
            c.eip == reinterpret_cast<u32>(pop_all_at),
        "POPA: four of eight");
  check_equal(c.esp, page(1) - 16, "POPA: ESP stays");
  check_page_fault(on_stack(near_return, page(1)), 4, near_return_at, page(1), "RET");
  c = on_stack(interrupt_return, page(1) - 4);
  check_page_fault(c, 4, interrupt_return_at, page(1), "IRET: EIP is there, CS isn't");
  check_equal(c.esp, page(1) - 4, "IRET: ESP stays");
  set_page(1, kOpen);
}

void test_memory() {
  set_page(1, 0);
  set_page(0, kOpen);
  Caught c = run(push_memory, page(1));
  check_page_fault(c, 0, push_memory_at, page(1), "PUSH from memory");
  const u32 esp = c.esp;
  c = run(pop_memory, page(1));
  check_page_fault(c, 2, pop_memory_at, page(1), "POP to memory");
  check_equal(c.esp, esp - 4, "POP to memory: ESP stays");
  check_page_fault(run(call_memory, page(1)), 0, call_memory_at, page(1), "CALL by memory");
  c = run(far_pointer, page(1) - 4);
  check_page_fault(c, 0, far_pointer_at, page(1), "LFS: the selector is missing");
  check_page_fault(run(bit_set, page(0)), 2, bit_set_at, page(1), "BTS beyond its operand's page");
  check_page_fault(run(store_sidt, page(1) - 2), 2, store_sidt_at, page(1), "SIDT: the base is missing");
  check_page_fault(run(table_load, page(1) - 2), 0, table_load_at, page(1), "LGDT: the base is missing");
  c = run(store_ten, page(1) - 8);
  check_page_fault(c, 2, store_ten_at, page(1), "FSTP of 80 bits: the exponent is missing");
  asm volatile("fninit");
  c = run(save_x87, page(1) - 100);
  check(c.any && c.vector == 14 && c.error == 2 && (c.cr2 & ~0xfffu) == page(1), "FNSAVE on two pages");
  set_page(1, kOpen);
  check_none(run(save_x87, page(1) - 100), "FNSAVE again");
}

Caught string(void (*code)(u32), u32 from, u32 to, u32 count) {
  g_restart_esi = from;
  g_restart_edi = to;
  g_restart_ecx = count;
  return run(code);
}

// After the fault: what is done is done, and the registers say how far it came.
void check_string(const Caught& c, u32 error, const char* at, u32 cr2, u32 done_esi, u32 done_edi, u32 ecx,
                  const char* name, const char* registers) {
  check_page_fault(c, error, at, cr2, name);
  check(c.frame.esi == done_esi && c.frame.edi == done_edi && c.frame.ecx == ecx, registers);
}

void test_strings() {
  for (u32 i = 0; i < 4096; ++i) g_pages[3][i] = static_cast<u8>(i * 7);
  set_page(1, 0);
  set_page(0, kOpen);
  Caught c = string(move_bytes, page(3), page(1) - 100, 200);
  check_string(c, 2, move_bytes_at, page(1), page(3) + 100, page(1), 100, "REP MOVSB: the destination ends",
               "REP MOVSB: registers");
  bool good = true;
  for (u32 i = 0; i < 100; ++i) good = good && g_pages[0][4096 - 100 + i] == static_cast<u8>(i * 7);
  check(good, "REP MOVSB: what was done");
  c = string(move_longs, page(1) - 100, page(3), 200);
  check_string(c, 0, move_longs_at, page(1), page(1), page(3) + 100, 175, "REP MOVSD: the source ends",
               "REP MOVSD: registers");
  c = string(move_words, page(3), page(1) - 101, 100);
  check_string(c, 2, move_words_at, page(1), page(3) + 100, page(1) - 1, 50, "REP MOVSW: a word on two pages",
               "REP MOVSW: registers");
  c = string(fill_longs, 0, page(1) - 8, 100);
  check_string(c, 2, fill_longs_at, page(1), 0, page(1), 98, "REP STOSD", "REP STOSD: registers");
  c = string(load_longs, page(1) - 8, 0, 100);
  check_string(c, 0, load_longs_at, page(1), page(1), 0, 98, "REP LODSD", "REP LODSD: registers");
  memory_set(g_pages[0], 0, 4096);
  memory_set(g_pages[4], 0, 4096);
  c = string(compare_bytes, page(4), page(1) - 50, 100);
  check_string(c, 0, compare_bytes_at, page(1), page(4) + 50, page(1), 50, "REPE CMPSB",
               "REPE CMPSB: registers");
  c = string(scan_bytes, 0, page(1) - 50, 100);
  check_string(c, 0, scan_bytes_at, page(1), 0, page(1), 50, "REPNE SCASB", "REPNE SCASB: registers");
  c = string(in_bytes, 0, page(1) - 3, 10);
  check_string(c, 2, in_bytes_at, page(1), 0, page(1), 7, "REP INSB", "REP INSB: registers");
  c = string(out_bytes, page(1) - 3, 0, 10);
  check_string(c, 0, out_bytes_at, page(1), page(1), 0, 7, "REP OUTSB", "REP OUTSB: registers");
  c = string(move_bytes, page(1), page(3), 0);
  check_none(c, "REP with ECX = 0 touches nothing");
  set_page(1, kOpen);
  set_page(0, 0);
  c = string(move_down, page(3) + 4092, page(1) + 36, 20);
  check_string(c, 2, move_down_at, page(1) - 4, page(3) + 4092 - 40, page(1) - 4, 10, "REP MOVSD downward",
               "REP MOVSD downward: registers");
  set_page(0, kOpen);
  // The fault is mended by a handler: the instruction goes on.
  set_page(1, 0);
  set_handler([](Frame& frame) {
    if (frame.vector != 14) return false;
    set_page(1, kOpen);
    return true;
  });
  c = string(move_bytes, page(3), page(1) - 100, 200);
  set_handler(nullptr);
  check_none(c, "REP MOVSB goes on after its fault");
  check(g_restart_ecx == 0 && g_restart_edi == page(1) + 100 && g_pages[1][99] == static_cast<u8>(199 * 7),
        "REP MOVSB: to its end");
}

void test_dirty() {
  set_page(0, kOpen);
  set_page(1, kOpen);
  set_page(4, kOpen);
  string(move_bytes, page(0), page(4), 100);
  check_equal(page_entry(page(0)) & (kAccessed | kDirty), kAccessed, "REP MOVS: A of the source");
  check_equal(page_entry(page(4)) & (kAccessed | kDirty), kAccessed | kDirty,
              "REP MOVS: A and D of the destination");
  set_page(1, kPresent | kUser);
  g_restart_esi = page(3);
  g_restart_edi = page(1) - 8;
  const Caught c = run_user(user_move);
  check_page_fault(c, 7, user_move_at, page(1), "REP MOVS at CPL 3 into a read-only page");
  check_equal(c.frame.ecx, 8, "ECX after it");
  g_restart_edi = page(1);
  check_page_fault(run_user(user_modify), 7, user_modify_at, page(1),
                   "ADD to memory at CPL 3, read-only page");
  check_equal(page_entry(page(1)) & kDirty, 0, "no D after either");
  set_page(1, kOpen);
}

// The GDT, an LDT and the IDT on pages of their own.
void test_tables() {
  u64* const gdt = reinterpret_cast<u64*>(page(2));
  memory_copy(gdt, g_gdt, sizeof g_gdt);
  struct [[gnu::packed]] {
    u16 limit;
    const void* base;
  } table{sizeof g_gdt - 1, gdt};
  gdt[kFree >> 3] = make_descriptor(0, 0xfffff, 0xf3, 0xc);
  set_page(2, kPresent | kWritable);
  asm volatile("lgdt %0" ::"m"(table));
  check_caught(run_user(user_load_fs), 0x80, 0, nullptr, "CPL 3 loads from a GDT on a supervisor page");
  set_page(2, kPresent | kWritable);
  gdt[kFree >> 3] = make_descriptor(0, 0xfffff, 0xf3, 0xc);
  set_page(2, kPresent | kWritable);
  run(load_fs, kFree);
  check_equal(page_entry(page(2)) & (kAccessed | kDirty), kAccessed,
              "a load of an accessed descriptor sets A alone");
  gdt[kFree >> 3] = make_descriptor(0, 0xfffff, 0xf2, 0xc);
  set_page(2, kPresent | kWritable);
  run(load_fs, kFree);
  check_equal(page_entry(page(2)) & (kAccessed | kDirty), kAccessed | kDirty,
              "one that isn't accessed yet sets D");
  check_equal(static_cast<u32>(gdt[kFree >> 3] >> 40) & 1, 1, "and the descriptor's bit");
  write_cr0(read_cr0() | 0x10000);
  gdt[kFree >> 3] = make_descriptor(0, 0xfffff, 0xf2, 0xc);
  set_page(2, kPresent);
  const u32 at = page(2) + kFree + 5;
  Caught c = run(load_fs, kFree);
  check(c.any && c.vector == 14 && c.error == 3 && c.cr2 >= page(2) + kFree && c.cr2 <= at,
        "a read-only GDT with WP: #PF of the accessed bit");
  c = run_user(user_load_fs);
  check(c.any && c.vector == 14 && c.error == 3, "the same from CPL 3 is a supervisor write");
  write_cr0(read_cr0() & ~0x10000u);
  check_none(run(load_fs, kFree), "without WP it is written");
  set_page(2, kOpen);
  // An LDT that is absent: a supervisor access, from whatever level.
  gdt[7] = make_descriptor(page(5), 0xff, 0x82, 0);
  asm volatile("lldt %w0" ::"r"(0x38));
  set_page(5, 0);
  c = run_user(user_load_ldt);
  check(c.any && c.vector == 14 && c.error == 0 && c.cr2 >= page(5) + 8 && c.cr2 < page(5) + 16 &&
            c.eip == reinterpret_cast<u32>(user_load_ldt_at),
        "CPL 3 loads from an absent LDT: #PF without U");
  set_page(5, kOpen);
  asm volatile("lldt %w0" ::"r"(0));
  reload_gdt();
  // The IDT on a supervisor page, and absent.
  u64* const idt = reinterpret_cast<u64*>(page(2));
  memory_copy(idt, g_idt, 2048);
  table.base = idt;
  table.limit = 2047;
  asm volatile("lidt %0" ::"m"(table));
  set_page(2, kPresent);
  check_caught(run_user(user_nothing), 0x80, 0, nullptr, "INT from CPL 3 by an IDT on a supervisor page");
  check_equal(page_entry(page(2)) & kAccessed, kAccessed, "sets its A");
  table.base = g_idt;
  asm volatile("lidt %0" ::"m"(table));
  set_page(2, kOpen);
}

// Linear addresses are 32 bits wide: the last page and the first are neighbours.
void test_wrap() {
  alignas(4096) static u32 last_table[1024];
  directory_entry(0xffc00000) = reinterpret_cast<u32>(last_table) | kOpen;
  last_table[1023] = page(0) | kOpen;
  write_cr3(read_cr3());
  g_gdt[kFree >> 3] = make_descriptor(0xfffff000, 0xfffff, 0x93, 0xc);
  u32 value;
  asm volatile("movl %1, %%fs\n movl %%fs:0x101000, %0\n movl %2, %%fs"
               : "=&r"(value)
               : "r"(u32{kFree}), "r"(u32{kKernelData}));
  check_equal(value, 0x1badb002, "base plus offset wraps");
  volatile u32* low = reinterpret_cast<volatile u32*>(0);
  asm("" : "+r"(low));
  const u32 saved = *low;
  asm volatile("movl %0, %%fs\n movl $0xaabbccdd, %%fs:0xffe\n movl %1, %%fs" ::"r"(u32{kFree}),
               "r"(u32{kKernelData})
               : "memory");
  check_equal(*reinterpret_cast<volatile u16*>(page(0) + 4094), 0xccdd,
              "an access across 4 GiB: its low half");
  check_equal(*low & 0xffff, 0xaabb, "its high half is at 0");
  *low = saved;
  directory_entry(0xffc00000) = 0;
  write_cr3(read_cr3());
}

}  // namespace

void guest_main() {
  asm volatile("fninit");
  enable_paging();
  test_stack();
  test_memory();
  test_strings();
  test_dirty();
  test_tables();
  test_wrap();
  disable_paging();
}
