// The guest runtime: what a guest needs to print, to catch exceptions, and to enter CPL 3; and its checks.
//
// Flat segments: 08 code, 10 data, 1B and 23 the same for CPL 3; 28 the TSS; the rest of the GDT is the
// guest's. All of the IDT leads here; vectors 80h and 3 may be raised from CPL 3.
#pragma once

#include "runtime/catching.h"
#include "runtime/checks.h"
#include "runtime/console.h"
#include "runtime/cpu.h"
#include "runtime/memory.h"
#include "runtime/types.h"

constexpr u16 kKernelCode = 0x08, kKernelData = 0x10, kUserCode = 0x1b, kUserData = 0x23, kTssSelector = 0x28;
constexpr unsigned kFreeDescriptor = 6;  // first index of the guest's own

extern "C" char vector_entries[];

// Ends the guest: status 1 of isa-debug-exit (value 0) if no check failed, else 3.
extern "C" [[noreturn]] void finish();
// The machine lacks what the whole guest is about.
[[noreturn]] void skip_guest(const char* reason);

// QEMU's TCG executes this, by CPUID's hypervisor leaf, or because the word "tcg" on the command line says so
// (a guest of KVM can't see that its host is emulated). For the few checks that would end a guest there
// (docs/qemu-differences.md).
bool on_tcg();

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
