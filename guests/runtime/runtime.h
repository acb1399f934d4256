// The guest runtime: what a guest needs to print, to catch exceptions, and to enter CPL 3; and its checks.
//
// Flat segments: 08 code, 10 data, 1B and 23 the same for CPL 3; 28 the TSS; the rest of the GDT is the
// guest's. All of the IDT leads here; vectors 80h and 3 may be raised from CPL 3.
#pragma once

#include "runtime/checks.h"
#include "runtime/console.h"
#include "runtime/cpu.h"
#include "runtime/types.h"

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

// Ends the guest: status 1 of isa-debug-exit (value 0) if no check failed, else 3.
extern "C" [[noreturn]] void finish();
// The machine lacks what the whole guest is about.
[[noreturn]] void skip_guest(const char* reason);

// QEMU's TCG executes this, by CPUID's hypervisor leaf, or because the word "tcg" on the command line says so
// (a guest of KVM can't see that its host is emulated). For the few checks that would end a guest there
// (docs/qemu-differences.md).
bool on_tcg();

void memory_set(void* to, int value, u32 bytes);
void memory_copy(void* to, const void* from, u32 bytes);

struct Tss {
  u32 link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags;
  u32 eax, ecx, edx, ebx, esp, ebp, esi, edi;
  u32 es, cs, ss, ds, fs, gs, ldt;
  u16 trap, io_map;
};
extern "C" Tss g_tss;
extern "C" u64 g_gdt[64];
extern "C" u64 g_idt[256];
u64 make_descriptor(u32 base, u32 limit_raw, u8 access, u8 flags);
u64 make_gate(u16 selector, u32 offset, u8 access, u8 parameters = 0);
void reload_gdt();

// What the loader passed (Multiboot 0.6.96, 3.3): at most 255 characters; "" if it passed none.
const char* command_line();

// Every guest defines it. Its return ends the guest.
extern "C" void guest_main();
