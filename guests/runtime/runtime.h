// The guest runtime: what a test guest needs to print, to catch exceptions, and to enter CPL 3.
//
// Flat segments: 08 code, 10 data, 1B and 23 the same for CPL 3; 28 the TSS; the rest of the GDT is the
// guest's. All of the IDT leads here; vectors 80h and 3 may be raised from CPL 3.
#pragma once

using u8 = unsigned char;
using u16 = unsigned short;
using u32 = unsigned int;
using u64 = unsigned long long;

constexpr u16 kKernelCode = 0x08, kKernelData = 0x10, kUserCode = 0x1b, kUserData = 0x23, kTssSelector = 0x28;
constexpr unsigned kFreeDescriptor = 6;  // first index of the guest's own

// A code snippet: `before`, then the instruction under test at NAME_at, then `after` from NAME_next, and RET.
#define SNIPPET(name, before, insn, after)                                                        \
  extern "C" void name(u32);                                                                      \
  extern "C" char name##_at[], name##_next[], name##_end[];                                       \
  asm(".pushsection .text\n.globl " #name ", " #name "_at, " #name "_next, " #name "_end\n" #name \
      ":\n" before "\n" #name "_at:\n" insn "\n" #name "_next:\n" after "\n" #name                \
      "_end:\n ret\n.popsection\n")

struct Frame {  // as vectors.S leaves it
  u32 ds, es, fs, gs;
  u32 edi, esi, ebp, unused, ebx, edx, ecx, eax;
  u32 vector, error, eip, cs, eflags;
  u32 esp, ss;                         // if the privilege changed
  u32 v86_es, v86_ds, v86_fs, v86_gs;  // if it came from v8086 mode
};

struct Caught {
  bool any;
  u32 vector, error, eip, cs, eflags, esp, ss, cr2, dr6;
  Frame frame;
};

extern "C" int run_catching(void (*code)(u32), u32 argument);
extern "C" void enter_user(u32 eip, u32 esp, u32 eflags);
extern "C" char vector_entries[];
extern "C" u32 catch_esp;

// Runs code at CPL 0 (or at CPL 3 on a stack of its own) until it returns or raises an exception. At CPL 3
// code must end in an exception; INT 80h will do.
Caught run(void (*code)(u32), u32 argument = 0);
Caught run_user(void (*code)(u32), u32 eflags = 2, u32 esp = 0);
u32 user_stack_top();

// A handler that is asked first; true: handled, go on where the frame says.
using Handler = bool (*)(Frame& frame);
void set_handler(Handler handler);

void print(const char* text);
void print_hex(u32 value);
void check(bool good, const char* what);
// Prints both values when they differ.
void check_equal(u32 got, u32 wanted, const char* what);
// vector, error code, and the faulting address; prints all when they differ.
void check_caught(const Caught& caught, u32 vector, u32 error, const void* eip, const char* what);
[[noreturn]] void finish();

void memory_set(void* to, int value, u32 bytes);
void memory_copy(void* to, const void* from, u32 bytes);

struct Tss {
  u32 link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags;
  u32 eax, ecx, edx, ebx, esp, ebp, esi, edi;
  u32 es, cs, ss, ds, fs, gs, ldt;
  u16 trap, io_map;
};
extern "C" Tss g_tss;
extern u64 g_gdt[64];
extern u64 g_idt[256];
u64 make_descriptor(u32 base, u32 limit_raw, u8 access, u8 flags);
u64 make_gate(u16 selector, u32 offset, u8 access, u8 parameters = 0);
void reload_gdt();

inline void out8(u16 port, u8 value) { asm volatile("outb %0, %1" ::"a"(value), "Nd"(port)); }
inline void out32(u16 port, u32 value) { asm volatile("outl %0, %1" ::"a"(value), "Nd"(port)); }
inline u8 in8(u16 port) {
  u8 value;
  asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}
#define RUNTIME_REGISTER(name)                          \
  inline u32 read_##name() {                            \
    u32 value;                                          \
    asm volatile("movl %%" #name ", %0" : "=r"(value)); \
    return value;                                       \
  }                                                     \
  inline void write_##name(u32 value) { asm volatile("movl %0, %%" #name ::"r"(value) : "memory"); }
RUNTIME_REGISTER(cr0)
RUNTIME_REGISTER(cr2)
RUNTIME_REGISTER(cr3)
RUNTIME_REGISTER(cr4)
RUNTIME_REGISTER(dr0)
RUNTIME_REGISTER(dr1)
RUNTIME_REGISTER(dr6)
RUNTIME_REGISTER(dr7)
inline void write_msr(u32 index, u64 value) { asm volatile("wrmsr" ::"c"(index), "A"(value)); }
inline u64 read_msr(u32 index) {
  u64 value;
  asm volatile("rdmsr" : "=A"(value) : "c"(index));
  return value;
}
inline void flush_page(const void* address) { asm volatile("invlpg (%0)" ::"r"(address) : "memory"); }
struct CpuidAnswer {
  u32 eax, ebx, ecx, edx;
};
inline CpuidAnswer cpuid(u32 leaf) {
  CpuidAnswer a;
  asm volatile("cpuid" : "=a"(a.eax), "=b"(a.ebx), "=c"(a.ecx), "=d"(a.edx) : "a"(leaf), "c"(0));
  return a;
}

// Every guest defines it.
void guest_main();
