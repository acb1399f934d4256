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

void test_frames() {
  const u8 divide[] = {0x31, 0xc9, 0x8c, 0xd8, 0x8e,
                       0xe0, 0xf7, 0xf1, 0xf4};  // xor cx,cx; mov ax,ds; mov fs,ax; div cx
  Caught c = run_v86(divide, 0x203);
  expect(c, 0, 0, 6, "#DE");
  check_equal(c.frame.esp & 0xffff, 0x800, "SP in the frame");
  check_equal(c.frame.v86_fs, 0xb00, "FS in the frame");
  check_equal(c.frame.v86_gs, 0, "GS in the frame");
  check_equal((c.frame.ds | c.frame.es | c.frame.fs | c.frame.gs) & 0xffff, 0,
              "the handler's data segments are empty");
  check_equal(c.eflags & 0x20200, 0x20200, "VM and IF in the saved flags");
  const u8 word[] = {0x8b, 0x06, 0xff, 0xff, 0xf4}, stack[] = {0xbd, 0xff, 0xff, 0x8b, 0x46, 0x00, 0xf4};
  expect(run_v86(word, 0), 13, 0, 0, "#GP(0): past a data segment's limit");
  expect(run_v86(stack, 0), 12, 0, 3, "#SS(0): past the stack's limit");
  const u8 ud2[] = {0x0f, 0x0b}, int1[] = {0xf1}, into[] = {0xb0, 0x7f, 0x04, 0x01, 0xce};
  expect(run_v86(ud2, 0), 6, 0, 0, "#UD");
  g_idt[4] |= 3ull << 45;
  expect(run_v86(into, 0), 4, 0, 5, "INTO needs no IOPL");
  g_idt[4] &= ~(3ull << 45);
  expect(run_v86(into, 0), 13, 4 * 8 + 2, 4, "INTO: #GP through a gate of DPL 0");
  const u64 gate = g_idt[3];
  const u8 int3[] = {0xcc};
  g_idt[3] &= ~(3ull << 45);
  expect(run_v86(int3, 0), 13, 3 * 8 + 2, 0, "INT3: #GP through a gate of DPL 0");
  g_idt[3] = gate;
  expect(run_v86(int1, 0), 1, 0, 1, "INT1 needs no DPL");
  const u8 step[] = {0x90, 0x90};
  expect(run_v86(step, 0x100), 1, 0, 1, "single step");
  // A handler must be at CPL 0 (SDM vol. 3B 21.3.1): #GP of its code segment.
  g_gdt[8] = make_descriptor(0, 0xfffff, 0x9f, 0xc);  // conforming
  const u64 ud = g_idt[6];
  g_idt[6] = make_gate(0x40, 0, 0x8e);
  expect(run_v86(ud2, 0), 13, 0x41, 0, "#GP: a handler in conforming code");
  g_idt[6] = ud;
}

void test_privileged() {
#define GP(name, ...)                                           \
  {                                                             \
    const u8 code[] = {__VA_ARGS__};                            \
    expect(run_v86(code, kIopl3), 13, 0, 0, name " is #GP(0)"); \
  }
  GP("CLTS", 0x0f, 0x06)
  GP("LMSW", 0x0f, 0x01, 0xf0)
  GP("LIDT", 0x0f, 0x01, 0x1e, 0x00, 0x00)
  GP("MOV CR3", 0x0f, 0x22, 0xd8)
  GP("MOV DR7", 0x0f, 0x21, 0xf8)
  GP("RDMSR", 0x0f, 0x32)
  GP("WRMSR", 0x0f, 0x30)
  GP("INVD", 0x0f, 0x08)
  GP("WBINVD", 0x0f, 0x09)
  GP("INVLPG", 0x0f, 0x01, 0x3e, 0x00, 0x00)
#undef GP
  const u8 smsw[] = {0x0f, 0x01, 0xe0, 0xf4}, sgdt[] = {0x0f, 0x01, 0x06, 0x00, 0x00, 0xf4},
           sidt[] = {0x0f, 0x01, 0x0e, 0x00, 0x00, 0xf4};
  Caught c = run_v86(smsw, 0);
  expect(c, 13, 0, 3, "SMSW works");
  check_equal(c.frame.eax & 1, 1, "and shows PE");
  expect(run_v86(sgdt, 0), 13, 0, 5, "SGDT works");
  const u32* stored = reinterpret_cast<const u32*>(0xb002);
  asm("" : "+r"(stored));
  check_equal(*stored, reinterpret_cast<u32>(g_gdt), "and shows the base");
  expect(run_v86(sidt, 0), 13, 0, 5, "SIDT works");
  const u8 str[] = {0x0f, 0x00, 0xc8}, verr[] = {0x0f, 0x00, 0xe0}, lsl[] = {0x0f, 0x03, 0xc0},
           lldt[] = {0x0f, 0x00, 0xd0}, ltr[] = {0x0f, 0x00, 0xd8};
  expect(run_v86(str, kIopl3), 6, 0, 0, "STR is #UD");
  expect(run_v86(verr, kIopl3), 6, 0, 0, "VERR is #UD");
  expect(run_v86(lsl, kIopl3), 6, 0, 0, "LSL is #UD");
  expect(run_v86(lldt, kIopl3), 6, 0, 0, "LLDT is #UD");
  expect(run_v86(ltr, kIopl3), 6, 0, 0, "LTR is #UD");
}

void test_flags() {
  const u8 wide[] = {0x66, 0x9c, 0x66, 0x58, 0xf4};  // pushfd; pop eax
  Caught c = run_v86(wide, kIopl3 | 0x10202);
  expect(c, 13, 0, 4, "PUSHFD with IOPL 3");
  check_equal(c.frame.eax & 0x33200, 0x3200, "shows neither VM nor RF");
  const u8 set[] = {0x68, 0xd7, 0x4e, 0x9d, 0x9c, 0x58, 0xf4};  // push 4ed7; popf; pushf; pop ax
  c = run_v86(set, kIopl3);
  check_equal(c.frame.eax & 0x7fd7, 0x7ed7, "POPF with IOPL 3 changes IF and NT, not IOPL");
  const u8 iret[] = {0x68, 0x82, 0x02, 0x68, 0x00, 0x08, 0x68, 0x0d,
                     0x00, 0xcf, 0xf4, 0xf4, 0xf4, 0x9c, 0x58, 0xf4};
  c = run_v86(iret, kIopl3);
  expect(c, 13, 0, 15, "IRET with IOPL 3");
  check_equal(c.frame.eax & 0x3280, 0x3280, "loads IF, keeps IOPL");
  const u8 cli[] = {0xfb, 0xfa, 0x9c, 0x58, 0xf4};
  check_equal(run_v86(cli, kIopl3).frame.eax & 0x200, 0, "STI and CLI with IOPL 3");
}

void test_wide_ports() {
  const u8 in32[] = {0x66, 0xe5, 0x7e, 0xf4}, last[] = {0xba, 0xff, 0xff, 0xec, 0xf4},
           past[] = {0xba, 0xff, 0xff, 0xed, 0xf4}, string[] = {0xba, 0x81, 0x00, 0x6c, 0xf4};
  g_big_tss.bitmap[0x78 / 8] = 0x3f;
  g_big_tss.bitmap[0x80 / 8] = 0xfc;
  expect(run_v86(in32, 0), 13, 0, 3, "four ports in two bytes of the bitmap");
  g_big_tss.bitmap[0x80 / 8] = 0xfe;
  expect(run_v86(in32, 0), 13, 0, 0, "one of four is forbidden");
  expect(run_v86(string, 0), 13, 0, 3, "INS of a forbidden port");
  g_big_tss.bitmap[8191] = 0x7f;
  expect(run_v86(last, 0), 13, 0, 4, "port FFFF");
  g_big_tss.bitmap[8192] = 0xff;
  expect(run_v86(past, 0), 13, 0, 3, "a word at port FFFF: the byte after the bitmap");
  // The TSS ends before the port's bits.
  const u64 whole = g_gdt[5];
  g_gdt[5] = make_descriptor(reinterpret_cast<u32>(&g_big_tss), sizeof(Tss) + 32 + 0x10, 0x89, 0);
  asm volatile("ltr %w0" ::"r"(u32{kTssSelector}));
  const u8 in80[] = {0xe4, 0x80, 0xf4};
  expect(run_v86(in80, 0), 13, 0, 0, "the two bytes that are read must be in the TSS");
  g_gdt[5] = make_descriptor(reinterpret_cast<u32>(&g_big_tss), sizeof(Tss) + 32 + 0x11, 0x89, 0);
  asm volatile("ltr %w0" ::"r"(u32{kTssSelector}));
  expect(run_v86(in80, 0), 13, 0, 2, "and may be its last");
  g_gdt[5] = whole;
  g_gdt[5] &= ~(2ull << 40);
  asm volatile("ltr %w0" ::"r"(u32{kTssSelector}));
}

}  // namespace

void guest_main() {
  use_big_tss();
  test_basic();
  test_sensitive();
  test_ports();
  test_frames();
  test_privileged();
  test_flags();
  test_wide_ports();
}
