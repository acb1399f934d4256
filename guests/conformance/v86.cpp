// Guest: virtual-8086 mode: entry and exit, IOPL-sensitive instructions, I/O bitmap, segments.
#include "runtime/v86.h"

namespace {

void expect(const Caught& c, u32 vector, u32 error, u32 ip, const char* what) {
  check_caught(c, vector, error, reinterpret_cast<void*>(ip), what);
}

void test_basic() {
  const u8 simple[] = {0xb8, 0x34, 0x12, 0x8c, 0xdb, 0xf4};  // mov ax, 1234; mov bx, ds; hlt
  Caught c = run_v86(simple, kIopl3);
  expect(c, 13, 0, 5, "HLT is #GP(0) even with IOPL 3");
  check_equal(c.frame.eax & 0xffff, 0x1234, "AX");
  check_equal(c.frame.ebx & 0xffff, 0xb00, "DS");
  check((c.eflags & kEflagsVm) != 0, "VM in the saved flags");
  check_equal(c.cs, 0x800, "CS");
  check_equal(c.ss, 0x900, "SS");
  check_equal(c.frame.v86_es, 0xa00, "ES");
  check_equal(c.frame.v86_ds, 0xb00, "DS on the stack");
  *reinterpret_cast<u16*>(0xb010) = 0xbeef;
  const u8 load[] = {0xa1, 0x10, 0x00, 0x66, 0x31, 0xc9, 0xbe, 0xff, 0xff, 0x8a, 0x0c, 0xf4};
  c = run_v86(load, kIopl3);
  check_equal(c.frame.eax & 0xffff, 0xbeef, "segment * 16 + offset");
  const u8 segment[] = {0xb8, 0x00, 0x10, 0x8e, 0xc0, 0x26, 0xa0, 0x00, 0x00, 0xf4};
  *reinterpret_cast<u8*>(0x10000) = 0x42;
  c = run_v86(segment, kIopl3);
  check_equal(c.frame.eax & 0xff, 0x42, "MOV ES loads a paragraph");
  check_equal(c.frame.v86_es, 0x1000, "the new ES");
  const u8 past[] = {0xbb, 0xff, 0xff, 0x8b, 0x07, 0xf4};  // mov bx, ffff; mov ax, [bx]
  expect(run_v86(past, kIopl3), 13, 0, 3, "a word at FFFF is past the limit");
  const u8 wide[] = {0x66, 0xbb, 0x00, 0x00, 0x01, 0x00, 0x67, 0x8b, 0x03, 0xf4};
  expect(run_v86(wide, kIopl3), 13, 0, 6, "a 32-bit offset past the limit");
}

void test_sensitive() {
  const u8 cli[] = {0xfa, 0xf4}, sti[] = {0xfb, 0xf4}, pushf[] = {0x9c, 0xf4}, popf[] = {0x50, 0x9d, 0xf4},
           iret[] = {0xcf}, interrupt[] = {0xcd, 0x21}, int3[] = {0xcc, 0xf4};
  expect(run_v86(cli, 0), 13, 0, 0, "CLI with IOPL 0");
  expect(run_v86(sti, 0), 13, 0, 0, "STI with IOPL 0");
  expect(run_v86(pushf, 0), 13, 0, 0, "PUSHF with IOPL 0");
  expect(run_v86(popf, 0), 13, 0, 1, "POPF with IOPL 0");
  expect(run_v86(iret, 0), 13, 0, 0, "IRET with IOPL 0");
  expect(run_v86(interrupt, 0), 13, 0, 0, "INT n with IOPL 0");
  expect(run_v86(int3, 0), 3, 0, 1, "INT3 needs no IOPL");
  Caught c = run_v86(cli, kIopl3 | 0x200);
  expect(c, 13, 0, 1, "CLI with IOPL 3");
  check_equal(c.eflags & 0x200, 0, "clears IF");
  expect(run_v86(pushf, kIopl3), 13, 0, 1, "PUSHF with IOPL 3");
  const u64 saved = g_idt[0x21];
  g_idt[0x21] = saved | (3ull << 45);
  c = run_v86(interrupt, kIopl3);
  expect(c, 0x21, 0, 2, "INT n with IOPL 3 through a gate of DPL 3");
  g_idt[0x21] = saved;
  expect(run_v86(interrupt, kIopl3), 13, 0x21 * 8 + 2, 0, "INT n with IOPL 3, gate of DPL 0");
  // PUSHF; POP AX; PUSH AX; POPF leaves IOPL alone.
  const u8 iopl[] = {0x9c, 0x58, 0x25, 0xff, 0xcf, 0x50, 0x9d, 0x9c, 0x5b, 0xf4};
  c = run_v86(iopl, kIopl3);
  check_equal(c.frame.ebx & 0x3000, 0x3000, "POPF doesn't change IOPL");
  const u8 lgdt[] = {0x0f, 0x01, 0x16, 0x00, 0x00}, sldt[] = {0x0f, 0x00, 0xc0}, movcr[] = {0x0f, 0x20, 0xc0},
           lar[] = {0x0f, 0x02, 0xc0}, arpl[] = {0x63, 0xc0};
  expect(run_v86(lgdt, kIopl3), 13, 0, 0, "LGDT is #GP");
  expect(run_v86(sldt, kIopl3), 6, 0, 0, "SLDT is #UD");
  expect(run_v86(movcr, kIopl3), 13, 0, 0, "MOV CR0 is #GP");
  expect(run_v86(lar, kIopl3), 6, 0, 0, "LAR is #UD");
  expect(run_v86(arpl, kIopl3), 6, 0, 0, "ARPL is #UD");
}

void test_ports() {
  const u8 in80[] = {0xe4, 0x80, 0xf4}, in81[] = {0xe4, 0x81, 0xf4}, in16[] = {0xe5, 0x80, 0xf4};
  g_big_tss.bitmap[0x80 / 8] = 0xfe;
  expect(run_v86(in80, kIopl3), 13, 0, 2, "a port that the bitmap allows");
  expect(run_v86(in81, kIopl3), 13, 0, 0, "a port that it forbids, though IOPL is 3");
  expect(run_v86(in16, kIopl3), 13, 0, 0, "a word port needs both bits");
  expect(run_v86(in80, 0), 13, 0, 2, "IOPL doesn't matter");
}

void test_vme() {
  const Requirement vme(has_feature(kFeatureVme), "no VME");
  if (!skipping()) write_cr4(read_cr4() | 1);
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
  expect(c, 13, 0, 2, "VME: INT n redirected, IRET returns, IOPL 0");
  check_equal(c.frame.eax & 0xffff, 0x7777, "its handler ran");
  const u8 cli[] = {0xfa, 0x9c, 0x58, 0xf4};
  c = run_v86(cli, 0x200 | 0x80000);
  expect(c, 13, 0, 3, "VME: CLI with IOPL 0");
  check((c.eflags & 0x80200) == 0x200, "clears VIF, not IF");
  check_equal(c.frame.eax & 0x3200, 0x3000, "PUSHF shows VIF as IF, and IOPL 3");
  const u8 sti[] = {0xfb, 0xf4};
  c = run_v86(sti, 0x200 | 0x100000);
  expect(c, 13, 0, 0, "VME: STI with VIP is #GP");
  g_big_tss.redirection[0x21 / 8] = 1 << (0x21 & 7);
  expect(run_v86(start, 0x200), 13, 0, 0, "VME: not redirected, IOPL 0");
  g_big_tss.redirection[0x21 / 8] = 0;
  if (!skipping()) write_cr4(read_cr4() & ~1u);
}

}  // namespace

void guest_main() {
  use_big_tss();
  test_basic();
  test_sensitive();
  test_ports();
  test_vme();
}
