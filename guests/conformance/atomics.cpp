// Guest: LOCK, CMPXCHG, CMPXCHG8B, XADD, XCHG and bit strings (SDM vol. 2; LOCK's list of instructions; vol.
// 3A 9.1).
#include "runtime/paging.h"

namespace {

alignas(4096) u8 g_pages[3][4096];
u32 page(u32 i) { return reinterpret_cast<u32>(g_pages[i]); }
void set_page(u32 i, u32 flags) {
  page_entry(page(i)) = page(i) | flags;
  flush_page(g_pages[i]);
}

// Argument: address; EDX:EAX is compared, ECX:EBX stored.
SNIPPET(exchange8,
        "pushl %ebx\n pushl %esi\n movl 12(%esp), %esi\n movl $0x11111111, %eax\n movl $0x22222222, %edx\n"
        "movl $0x33333333, %ebx\n movl $0x44444444, %ecx\n .globl exchange8_do\n exchange8_do:",
        "cmpxchg8b (%esi)",
        "setz g_atomic_zf\n movl %eax, g_atomic_eax\n movl %edx, g_atomic_edx\n popl %esi\n popl %ebx");
SNIPPET(locked8,
        "pushl %ebx\n pushl %esi\n movl 12(%esp), %esi\n xorl %eax, %eax\n xorl %edx, %edx\n"
        "movl $5, %ebx\n movl $6, %ecx",
        "lock cmpxchg8b (%esi)",
        "setz g_atomic_zf\n movl %eax, g_atomic_eax\n movl %edx, g_atomic_edx\n popl %esi\n popl %ebx");
SNIPPET(exchange8_register, "", ".byte 0x0f, 0xc7, 0xc8", "");
SNIPPET(exchange4, "movl 4(%esp), %edx\n movl $1, %eax\n movl $2, %ecx", "cmpxchgl %ecx, (%edx)",
        "setz g_atomic_zf\n movl %eax, g_atomic_eax");
SNIPPET(exchange1, "movl 4(%esp), %edx\n movl $0x101, %eax\n movl $0x202, %ecx", "cmpxchgb %cl, (%edx)",
        "setz g_atomic_zf\n movl %eax, g_atomic_eax");
SNIPPET(locked_xadd, "movl 4(%esp), %edx\n movl $5, %eax", "lock xaddl %eax, (%edx)",
        "movl %eax, g_atomic_eax");
SNIPPET(swap, "movl 4(%esp), %edx\n movl $9, %eax", "xchgl %eax, (%edx)", "movl %eax, g_atomic_eax");

// What LOCK may stand before, with a memory destination: [EDX].
#define LOCKED(name, insn) \
  SNIPPET(name, "movl 4(%esp), %edx\n xorl %eax, %eax\n xorl %ecx, %ecx", "lock\n" insn, "")
LOCKED(lock_add, "addl %eax, (%edx)");
LOCKED(lock_adc, "adcl %eax, (%edx)");
LOCKED(lock_and, "andl $-1, (%edx)");
LOCKED(lock_btc, "btcl $0, (%edx)");
LOCKED(lock_btr, "btrl %eax, (%edx)");
LOCKED(lock_bts, "btsl $0, (%edx)");
LOCKED(lock_cmpxchg, "cmpxchgb %al, (%edx)");
LOCKED(lock_dec, "decl (%edx)");
LOCKED(lock_inc, "incb (%edx)");
LOCKED(lock_neg, "negl (%edx)");
LOCKED(lock_not, "notl (%edx)");
LOCKED(lock_or, "orw %ax, (%edx)");
LOCKED(lock_sbb, "sbbl %eax, (%edx)");
LOCKED(lock_sub, "subl $0, (%edx)");
LOCKED(lock_xadd, "xaddb %al, (%edx)");
LOCKED(lock_xchg, "xchgl %eax, (%edx)");
LOCKED(lock_xor, "xorl $0, (%edx)");
#undef LOCKED
// And may not; should the CPU do them nonetheless, the stack is as before.
#define BAD(name, bytes)                                                                    \
  SNIPPET(name, "movl 4(%esp), %edx\n movl %edx, %esi\n movl %edx, %edi\n movl %esp, %ebp", \
          ".byte 0xf0, " bytes, "movl %ebp, %esp")
BAD(bad_mov, "0x89, 0x02");                 // MOV [EDX], EAX
BAD(bad_cmp, "0x39, 0x02");                 // CMP [EDX], EAX
BAD(bad_test, "0x85, 0x02");                // TEST [EDX], EAX
BAD(bad_bt, "0x0f, 0xa3, 0x02");            // BT [EDX], EAX
BAD(bad_add_reg, "0x01, 0xd0");             // ADD EAX, EDX
BAD(bad_add_load, "0x03, 0x02");            // ADD EAX, [EDX]
BAD(bad_inc_reg, "0xff, 0xc0");             // INC EAX
BAD(bad_inc_short, "0x40");                 // INC EAX, one byte
BAD(bad_xchg_reg, "0x87, 0xc8");            // XCHG EAX, ECX
BAD(bad_xchg_short, "0x91");                // XCHG EAX, ECX, one byte
BAD(bad_shl, "0xd1, 0x22");                 // SHL [EDX], 1
BAD(bad_push, "0x50");                      // PUSH EAX
BAD(bad_movs, "0xa5");                      // MOVSD
BAD(bad_mul, "0xf7, 0x22");                 // MUL [EDX]
BAD(bad_jump, "0xeb, 0x00");                // JMP
BAD(bad_cpuid, "0x0f, 0xa2");               // CPUID
BAD(bad_imm_cmp, "0x83, 0x3a, 0x00");       // CMP [EDX], 0
BAD(bad_bt_imm, "0x0f, 0xba, 0x22, 0x00");  // BT [EDX], 0
#undef BAD

}  // namespace

extern "C" {
alignas(8) u32 g_atomic[4];
u32 g_atomic_eax, g_atomic_edx;
u8 g_atomic_zf;
extern char exchange8_do[];
}

namespace {

void test_lock() {
  const u32 at = reinterpret_cast<u32>(g_atomic);
#define GOOD(code, name) check_none(run(code, at), "LOCK " name)
  GOOD(lock_add, "ADD");
  GOOD(lock_adc, "ADC");
  GOOD(lock_and, "AND");
  GOOD(lock_btc, "BTC");
  GOOD(lock_btr, "BTR");
  GOOD(lock_bts, "BTS");
  GOOD(lock_cmpxchg, "CMPXCHG");
  GOOD(lock_dec, "DEC");
  GOOD(lock_inc, "INC");
  GOOD(lock_neg, "NEG");
  GOOD(lock_not, "NOT");
  GOOD(lock_or, "OR");
  GOOD(lock_sbb, "SBB");
  GOOD(lock_sub, "SUB");
  GOOD(lock_xadd, "XADD");
  GOOD(lock_xchg, "XCHG");
  GOOD(lock_xor, "XOR");
#undef GOOD
#define BAD(code, name) check_caught(run(code, at), 6, 0, code##_at, "#UD: LOCK " name)
  BAD(bad_mov, "MOV");
  BAD(bad_cmp, "CMP");
  BAD(bad_test, "TEST");
  BAD(bad_bt, "BT");
  BAD(bad_add_reg, "ADD of a register");
  BAD(bad_add_load, "ADD to a register");
  BAD(bad_inc_reg, "INC of a register");
  BAD(bad_inc_short, "INC of one byte");
  BAD(bad_xchg_reg, "XCHG of registers");
  BAD(bad_xchg_short, "XCHG of one byte");
  BAD(bad_shl, "SHL");
  BAD(bad_push, "PUSH");
  BAD(bad_movs, "MOVS");
  BAD(bad_mul, "MUL");
  BAD(bad_jump, "JMP");
  BAD(bad_cpuid, "CPUID");
  BAD(bad_imm_cmp, "CMP with an immediate");
  BAD(bad_bt_imm, "BT with an immediate");
#undef BAD
}

void test_exchange8() {
  const u32 at = reinterpret_cast<u32>(g_atomic);
  g_atomic[0] = 0x11111111;
  g_atomic[1] = 0x22222222;
  check_none(run(exchange8, at), "CMPXCHG8B");
  check(g_atomic_zf == 1 && g_atomic[0] == 0x33333333 && g_atomic[1] == 0x44444444,
        "CMPXCHG8B: equal, stored");
  run(exchange8, at);
  check(g_atomic_zf == 0 && g_atomic_eax == 0x33333333 && g_atomic_edx == 0x44444444,
        "CMPXCHG8B: not equal, loaded");
  check(g_atomic[0] == 0x33333333 && g_atomic[1] == 0x44444444, "CMPXCHG8B: not equal, memory as before");
  g_atomic[0] = g_atomic[1] = 0;
  check_none(run(locked8, at), "LOCK CMPXCHG8B");
  check(g_atomic[0] == 5 && g_atomic[1] == 6, "LOCK CMPXCHG8B: stored");
  check_caught(run(exchange8_register), 6, 0, exchange8_register_at, "#UD: CMPXCHG8B of a register");
  // Only ZF changes.
  u32 flags;
  asm volatile(
      "pushl %%ebx\n xorl %%ebx, %%ebx\n xorl %%ecx, %%ecx\n movl $1, %%eax\n cltd\n pushl $0x8d7\n popfl\n"
      " cmpxchg8b g_atomic\n pushfl\n popl %0\n popl %%ebx"
      : "=&D"(flags)::"eax", "ecx", "edx", "memory", "cc");
  check_equal(flags & 0x8d5, 0x895, "CMPXCHG8B changes ZF alone");
}

// A compare that fails writes back what was there: a write, to the page tables (SDM vol. 2A CMPXCHG8B).
void test_pages() {
  enable_paging();
  set_page(0, kPresent | kWritable | kUser);
  run(exchange8, page(0));
  check_equal(page_entry(page(0)) & kDirty, kDirty, "CMPXCHG8B that fails sets D");
  set_page(0, kPresent | kWritable | kUser);
  run(exchange4, page(0));
  check_equal(page_entry(page(0)) & kDirty, kDirty, "CMPXCHG that fails sets D");
  write_cr0(read_cr0() | 0x10000);
  set_page(0, kPresent | kUser);
  check_page_fault(run(exchange8, page(0)), 3, exchange8_do, page(0), "CMPXCHG8B to a read-only page");
  check_page_fault(run(exchange4, page(0) + 8), 3, exchange4_at, page(0) + 8, "CMPXCHG to a read-only page");
  check_page_fault(run(swap, page(0)), 3, swap_at, page(0), "XCHG to a read-only page");
  write_cr0(read_cr0() & ~0x10000u);
  set_page(0, kPresent | kWritable | kUser);
  set_page(1, 0);
  check_page_fault(run(exchange8, page(1) - 4), 2, exchange8_do, page(1),
                   "CMPXCHG8B on two pages, one absent");
  check_page_fault(run(locked_xadd, page(1) - 2), 2, locked_xadd_at, page(1),
                   "LOCK XADD on two pages, one absent");
  set_page(1, kPresent | kWritable | kUser);
  volatile u32* split = reinterpret_cast<volatile u32*>(page(1) - 2);
  *split = 0x10000;
  check_none(run(locked_xadd, page(1) - 2), "LOCK XADD on two pages");
  check(*split == 0x10005 && g_atomic_eax == 0x10000, "LOCK XADD on two pages: sum and old value");
  volatile u32* pair = reinterpret_cast<volatile u32*>(page(1) - 4);
  pair[0] = 0;
  pair[1] = 0;
  check_none(run(locked8, page(1) - 4), "LOCK CMPXCHG8B on two pages");
  check(pair[0] == 5 && pair[1] == 6, "LOCK CMPXCHG8B on two pages: stored");
  disable_paging();
}

void test_values() {
  const u32 at = reinterpret_cast<u32>(g_atomic);
  g_atomic[0] = 1;
  run(exchange4, at);
  check(g_atomic[0] == 2 && g_atomic_zf == 1 && g_atomic_eax == 1, "CMPXCHG: equal");
  run(exchange4, at);
  check(g_atomic[0] == 2 && g_atomic_zf == 0 && g_atomic_eax == 2, "CMPXCHG: not equal");
  g_atomic[0] = 0xffffff77;
  run(exchange1, at);
  check(g_atomic[0] == 0xffffff77 && g_atomic_eax == 0x177, "CMPXCHG of a byte leaves the rest of EAX");
  g_atomic[0] = 10;
  run(locked_xadd, at);
  check(g_atomic[0] == 15 && g_atomic_eax == 10, "XADD");
  run(swap, at);
  check(g_atomic[0] == 9 && g_atomic_eax == 15, "XCHG");
  // A bit offset in a register reaches beyond the operand, either way.
  g_atomic[0] = g_atomic[2] = 0;
  asm volatile("lock btsl %1, %0" : "+m"(g_atomic[1]) : "r"(33) : "memory", "cc");
  check_equal(g_atomic[2], 2, "BTS with offset 33");
  asm volatile("lock btsl %1, %0" : "+m"(g_atomic[1]) : "r"(-31) : "memory", "cc");
  check_equal(g_atomic[0], 2, "BTS with offset -31");
}

}  // namespace

void guest_main() {
  test_lock();
  test_exchange8();
  test_values();
  test_pages();
}
