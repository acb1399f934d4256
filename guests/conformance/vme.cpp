// Guest: virtual-8086 mode extensions and protected-mode virtual interrupts: VIF, VIP, redirection (SDM vol.
// 3B 21.3, 21.4).
#include "runtime/v86.h"

namespace {

constexpr u32 kIf = 0x200, kVif = 0x80000, kVip = 0x100000;

void expect(const Caught& c, u32 vector, u32 error, u32 ip, const char* what) {
  check_caught(c, vector, error, reinterpret_cast<void*>(ip), what);
}
template <typename... Bytes>
Caught code(u32 flags, Bytes... bytes) {
  const u8 program[] = {static_cast<u8>(bytes)...};
  return run_v86(program, flags);
}

void test_basic() {
  // Vector 21h through the real-mode table at 0: to 0800:0040.
  volatile u16* ivt = reinterpret_cast<volatile u16*>(0x21 * 4);
  asm("" : "+r"(ivt));
  ivt[0] = 0x40;
  ivt[1] = 0x800;
  u8 program[0x50];
  memory_set(program, 0xf4, sizeof program);
  const u8 start[] = {0xcd, 0x21, 0xf4}, handler[] = {0xb8, 0x77, 0x77, 0xcf};
  memory_copy(program, start, sizeof start);
  memory_copy(program + 0x40, handler, sizeof handler);
  Caught c = run_v86(program, 0x200);
  expect(c, 13, 0, 2, "INT n redirected, IRET returns, IOPL 0");
  check_equal(c.frame.eax & 0xffff, 0x7777, "its handler ran");
  const u8 cli[] = {0xfa, 0x9c, 0x58, 0xf4};
  c = run_v86(cli, 0x200 | 0x80000);
  expect(c, 13, 0, 3, "CLI with IOPL 0");
  check((c.eflags & 0x80200) == 0x200, "clears VIF, not IF");
  check_equal(c.frame.eax & 0x3200, 0x3000, "PUSHF shows VIF as IF, and IOPL 3");
  const u8 sti[] = {0xfb, 0xf4};
  c = run_v86(sti, 0x200 | 0x100000);
  expect(c, 13, 0, 0, "STI with VIP is #GP");
  g_big_tss.redirection[0x21 / 8] = 1 << (0x21 & 7);
  expect(run_v86(start, 0x200), 13, 0, 0, "not redirected, IOPL 0");
  g_big_tss.redirection[0x21 / 8] = 0;
}

void test_flags() {
  Caught c = code(0, 0xfb, 0xf4);
  expect(c, 13, 0, 1, "STI with IOPL 0");
  check_equal(c.eflags & (kVif | kIf), kVif, "sets VIF, not IF");
  c = code(kVif, 0x9c, 0x58, 0xf4);
  check_equal(c.frame.eax & 0x3200, 0x3200, "PUSHF with VIF set");
  c = code(0, 0x68, 0x02, 0x02, 0x9d, 0xf4);
  expect(c, 13, 0, 4, "POPF with IOPL 0");
  check_equal(c.eflags & (kVif | kIf | kIopl3), kVif, "POPF's IF goes to VIF; IOPL stays");
  c = code(kVif, 0x68, 0x02, 0x00, 0x9d, 0xf4);
  check_equal(c.eflags & kVif, 0, "POPF clears VIF");
  expect(code(kVip, 0x68, 0x02, 0x02, 0x9d, 0xf4), 13, 0, 3, "POPF that sets IF with VIP is #GP");
  expect(code(kVip, 0x68, 0x02, 0x00, 0x9d, 0xf4), 13, 0, 4, "POPF that doesn't is fine with VIP");
  expect(code(0, 0x68, 0x02, 0x01, 0x9d, 0xf4), 13, 0, 3, "POPF that sets TF is #GP");
  expect(code(0, 0x66, 0x9c), 13, 0, 0, "PUSHFD with IOPL 0 is #GP");
  expect(code(0, 0x66, 0x9d), 13, 0, 0, "POPFD with IOPL 0 is #GP");
  expect(code(0, 0x66, 0xcf), 13, 0, 0, "IRETD with IOPL 0 is #GP");
  expect(code(0, 0x68, 0x02, 0x01, 0x68, 0x00, 0x08, 0x68, 0x20, 0x00, 0xcf), 13, 0, 9,
         "IRET that sets TF is #GP");
  c = code(0, 0x68, 0x02, 0x02, 0x68, 0x00, 0x08, 0x68, 0x20, 0x00, 0xcf);
  expect(c, 13, 0, 0x20, "IRET with IOPL 0");
  check_equal(c.eflags & (kVif | kIf), kVif, "IRET's IF goes to VIF");
  // IOPL 3: as without VME.
  c = code(kIopl3 | kIf, 0xfa, 0xf4);
  check_equal(c.eflags & (kVif | kIf), 0, "CLI with IOPL 3 clears IF");
  expect(code(kIopl3 | kVip, 0xfb, 0xf4), 13, 0, 1, "STI with IOPL 3 and VIP is fine");
}

void test_redirection() {
  volatile u16* const ivt = reinterpret_cast<volatile u16*>(0x22 * 4);
  volatile u16* table = ivt;
  asm("" : "+r"(table));
  table[0] = 0x30;
  table[1] = 0x800;
  // INT 22h; at 30h, where the memory is filled with HLT, it ends.
  Caught c = code(kVif, 0xcd, 0x22);
  expect(c, 13, 0, 0x30, "INT n by the table at 0");
  check_equal(c.eflags & kVif, 0, "it clears VIF");
  check_equal(c.frame.esp & 0xffff, 0x7fa, "it pushes three words");
  const u16* stack = reinterpret_cast<const u16*>(0x9000 + 0x7fa);
  asm("" : "+r"(stack));
  check_equal(stack[0], 2, "IP");
  check_equal(stack[1], 0x800, "CS");
  check_equal(stack[2] & 0x3200, 0x3200, "FLAGS: VIF as IF, IOPL 3");
  c = code(kIopl3 | kIf, 0xcd, 0x22);
  expect(c, 13, 0, 0x30, "with IOPL 3, too");
  check_equal(c.eflags & kIf, 0, "it clears IF then");
  g_big_tss.redirection[0x22 / 8] = 1 << (0x22 & 7);
  expect(code(kIopl3, 0xcd, 0x22), 13, 0x22 * 8 + 2, 0, "not redirected, IOPL 3: the gate's DPL counts");
  g_idt[0x22] |= 3ull << 45;
  expect(code(kIopl3, 0xcd, 0x22), 0x22, 0, 2, "not redirected, IOPL 3, DPL 3: the gate");
  expect(code(0, 0xcd, 0x22), 13, 0, 0, "not redirected, IOPL 0, DPL 3: #GP(0)");
  g_idt[0x22] &= ~(3ull << 45);
  g_big_tss.redirection[0x22 / 8] = 0;
  expect(code(0, 0xcc), 3, 0, 1, "INT3 isn't redirected");
}

SNIPPET(user_sti, "", "sti", "pushfl\n popl %eax\n int $0x80");
SNIPPET(user_cli, "", "cli", "pushfl\n popl %eax\n int $0x80");
SNIPPET(user_pushf, "", "pushfl", "popl %eax\n int $0x80");
SNIPPET(user_popf, "pushl $0x202", "popfl", "int $0x80");

// CR4.PVI: the same for CLI and STI at CPL 3 (SDM vol. 3B 21.4).
void test_pvi() {
  if (!skipping()) write_cr4((read_cr4() & ~1u) | 2);
  Caught c = run_user(user_sti, 2);
  check_caught(c, 0x80, 0, nullptr, "PVI: STI at CPL 3 with IOPL 0");
  check_equal(c.eflags & (kVif | kIf), kVif, "PVI: it sets VIF");
  c = run_user(user_cli, kVif | kIf | 2);
  check_caught(c, 0x80, 0, nullptr, "PVI: CLI at CPL 3 with IOPL 0");
  check_equal(c.eflags & (kVif | kIf), kIf, "PVI: it clears VIF, not IF");
  check_caught(run_user(user_sti, kVip | 2), 13, 0, user_sti_at, "PVI: STI with VIP is #GP");
  check_caught(run_user(user_cli, kVip | 2), 0x80, 0, nullptr, "PVI: CLI with VIP is fine");
  c = run_user(user_pushf, kVif | 2);
  check_equal(c.frame.eax & kIf, 0, "PVI: PUSHF shows IF, not VIF");
  c = run_user(user_popf, 2);
  check_equal(c.eflags & (kVif | kIf), 0, "PVI: POPF changes neither");
  c = run_user(user_sti, kIopl3 | 2);
  check_equal(c.eflags & (kVif | kIf), kIf, "PVI: with IOPL 3 STI sets IF");
  if (!skipping()) write_cr4(read_cr4() & ~2u);
}

}  // namespace

void guest_main() {
  const Requirement vme(has_feature(kFeatureVme), "no VME");
  use_big_tss();
  if (!skipping()) write_cr4(read_cr4() | 1);
  test_basic();
  test_flags();
  test_redirection();
  test_pvi();
}
