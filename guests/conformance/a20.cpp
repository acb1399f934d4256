// Guest: the A20 gate, by port 92h and by the keyboard controller; and the controller's self test (IBM PC/AT,
// PS/2).
#include "runtime/paging.h"

namespace {

constexpr u32 kRoutine = 0x7000;  // below 1 MiB: with A20 masked, the guest's own code isn't where it was
volatile u32& word(u32 at) { return *reinterpret_cast<volatile u32*>(at); }

// u32 with_a20_masked(u32 address, u32 value): masks A20, writes value to address, reads it, unmasks; no
// memory but that between. Runs at kRoutine, interrupts off.
extern "C" char port92_start[], port92_end[], i8042_start[], i8042_end[];
asm(R"(
        .pushsection .text
port92_start:
        movl    4(%esp), %ecx
        movl    8(%esp), %edx
        inb     $0x92, %al
        andb    $0xfc, %al
        outb    %al, $0x92
        movl    %edx, (%ecx)
        movl    (%ecx), %edx
        inb     $0x92, %al
        orb     $2, %al
        andb    $0xfe, %al
        outb    %al, $0x92
        movl    %edx, %eax
        ret
port92_end:
i8042_start:
        movl    4(%esp), %ecx
        movl    8(%esp), %edx
1:      inb     $0x64, %al
        testb   $2, %al
        jnz     1b
        movb    $0xd1, %al
        outb    %al, $0x64
1:      inb     $0x64, %al
        testb   $2, %al
        jnz     1b
        movb    $0xdd, %al
        outb    %al, $0x60
1:      inb     $0x64, %al
        testb   $2, %al
        jnz     1b
        movl    %edx, (%ecx)
        movl    (%ecx), %edx
1:      inb     $0x64, %al
        testb   $2, %al
        jnz     1b
        movb    $0xd1, %al
        outb    %al, $0x64
1:      inb     $0x64, %al
        testb   $2, %al
        jnz     1b
        movb    $0xdf, %al
        outb    %al, $0x60
1:      inb     $0x64, %al
        testb   $2, %al
        jnz     1b
        movl    %edx, %eax
        ret
i8042_end:
        .popsection
)");

u32 masked(const char* start, const char* end, u32 address, u32 value) {
  u8* to = reinterpret_cast<u8*>(kRoutine);
  asm("" : "+r"(to));
  memory_copy(to, start, static_cast<u32>(end - start));
  return reinterpret_cast<u32 (*)(u32, u32)>(kRoutine)(address, value);
}

// 200500h and 300500h differ in bit 20 alone.
void test_gate(const char* start, const char* end, const char* const (&names)[4]) {
  word(0x200500) = 0x22222222;
  word(0x300500) = 0x33333333;
  const u32 read = masked(start, end, 0x300500, 0x44444444);
  check_equal(read, 0x44444444, names[0]);
  check_equal(word(0x200500), 0x44444444, names[1]);
  check_equal(word(0x300500), 0x33333333, names[2]);
  word(0x300500) = 0x55555555;
  check_equal(word(0x200500), 0x44444444, names[3]);
}

// Through page tables that stand in an even mebibyte: the physical address is what is masked.
void test_paging() {
  u32* const directory = reinterpret_cast<u32*>(0x400000);
  u32* const tables = reinterpret_cast<u32*>(0x401000);
  memory_set(directory, 0, 4096);
  for (u32 i = 0; i < 2; ++i) directory[i] = (0x401000 + i * 0x1000) | 7;
  for (u32 i = 0; i < 2048; ++i) tables[i] = (i << 12) | 7;
  tables[0x600] = 0x300000 | 7;  // 600000h is 300000h
  write_cr3(0x400000);
  write_cr0(read_cr0() | 0x80000000);
  word(0x200500) = 0x22222222;
  word(0x300500) = 0x33333333;
  masked(port92_start, port92_end, 0x600500, 0x66666666);
  check_equal(word(0x200500), 0x66666666, "with paging: a write goes 1 MiB lower");
  check_equal(word(0x600500), 0x33333333, "with paging: and not to its page");
  write_cr0(read_cr0() & ~0x80000000u);
}

u8 controller(u8 command) {
  for (u32 i = 0; i < 1000000 && (in8(0x64) & 2) != 0; ++i) {
  }
  while ((in8(0x64) & 1) != 0) in8(0x60);
  out8(0x64, command);
  for (u32 i = 0; i < 1000000 && (in8(0x64) & 1) == 0; ++i) {
  }
  return in8(0x60);
}

}  // namespace

void guest_main() {
  test_gate(port92_start, port92_end,
            {"port 92h: what is written is read", "port 92h: it went 1 MiB lower",
             "port 92h: and not to its place", "port 92h: unmasked again"});
  test_gate(i8042_start, i8042_end,
            {"8042: what is written is read", "8042: it went 1 MiB lower", "8042: and not to its place",
             "8042: unmasked again"});
  test_paging();
  check_equal(controller(0xaa), 0x55, "8042: self test");
  check_equal(controller(0xab), 0, "8042: keyboard interface test");
  check_equal(controller(0xd0) & 3, 3, "8042: output port: no reset, A20 on");
  check_equal(in8(0x64) & 3, 0, "8042: both buffers are empty");
}
