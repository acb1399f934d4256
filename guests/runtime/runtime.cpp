// The guest runtime: descriptor tables, exceptions, start and end.
#include "runtime/runtime.h"

Tss g_tss;
alignas(8) u64 g_gdt[64];
alignas(8) u64 g_idt[256];

namespace {

Caught g_caught;
bool g_told_tcg;
Handler g_handler;
char g_command_line[256];
alignas(16) u8 g_ring0_stack[32768];
alignas(16) u8 g_user_stack[32768];

struct [[gnu::packed]] TablePointer {
  u16 limit;
  const void* base;
};

struct MultibootInfo {
  u32 flags, mem_lower, mem_upper, boot_device;
  const char* command_line;
};

bool has_word(const char* text, const char* word) {
  for (; *text != 0; ++text) {
    u32 i = 0;
    while (word[i] != 0 && text[i] == word[i]) ++i;
    if (word[i] == 0 && (text[i] == 0 || text[i] == ' ')) return true;
  }
  return false;
}

// Copied at once: it stands in memory that the guest may use.
void keep_command_line(const MultibootInfo* info) {
  constexpr u32 kHasCommandLine = 4;
  if ((info->flags & kHasCommandLine) == 0) return;
  const char* from = info->command_line;
  for (u32 i = 0; i + 1 < sizeof g_command_line && from[i] != 0; ++i) g_command_line[i] = from[i];
}

[[noreturn]] void leave(u32 value) {
  out32(0xf4, value);
  for (;;) asm volatile("cli; hlt");
}

}  // namespace

extern "C" void caught_return();

void finish() { leave(conclude_checks() == 0 ? 0 : 1); }

bool on_tcg() {
  const CpuidAnswer a = cpuid(0x40000000);
  return g_told_tcg || (a.ebx == 0x54474354 && a.ecx == 0x43544743 && a.edx == 0x47435447);
}

void skip_guest(const char* reason) {
  print("skip * -- ");
  print(reason);
  print("\n");
  leave(0);
}

u64 make_descriptor(u32 base, u32 limit_raw, u8 access, u8 flags) {
  return (limit_raw & 0xffff) | (static_cast<u64>(base & 0xffffff) << 16) | (static_cast<u64>(access) << 40) |
         (static_cast<u64>((limit_raw >> 16) & 15) << 48) | (static_cast<u64>(flags) << 52) |
         (static_cast<u64>(base >> 24) << 56);
}

u64 make_gate(u16 selector, u32 offset, u8 access, u8 parameters) {
  return (offset & 0xffff) | (static_cast<u64>(selector) << 16) | (static_cast<u64>(parameters) << 32) |
         (static_cast<u64>(access) << 40) | (static_cast<u64>(offset >> 16) << 48);
}

void reload_gdt() {
  const TablePointer pointer{sizeof g_gdt - 1, g_gdt};
  asm volatile(
      "lgdt %0\n ljmp $0x08, $1f\n1: movl $0x10, %%eax\n movl %%eax, %%ds\n movl %%eax, %%es\n"
      " movl %%eax, %%ss\n movl %%eax, %%fs\n movl %%eax, %%gs" ::"m"(pointer)
      : "eax", "memory");
}

void set_handler(Handler handler) { g_handler = handler; }

extern "C" void runtime_exception(Frame* frame) {
  if (g_handler != nullptr && g_handler(*frame)) return;
  Caught& c = g_caught;
  c.any = true;
  c.vector = frame->vector;
  c.error = frame->error;
  c.eip = frame->eip;
  c.cs = frame->cs;
  c.eflags = frame->eflags;
  const bool outer = (frame->cs & 3) != 0 || (frame->eflags & 0x20000) != 0;
  c.esp = outer ? frame->esp : reinterpret_cast<u32>(&frame->esp);
  c.ss = outer ? frame->ss : kKernelData;
  c.cr2 = read_cr2();
  c.dr6 = read_dr6();
  memory_copy(&c.frame, frame, sizeof c.frame);
  if (catch_esp == 0) {
    check_none(c, "no unexpected exception");
    leave(1);
  }
  asm volatile("jmp caught_return");
}

Caught run(void (*code)(u32), u32 argument) {
  memory_set(&g_caught, 0, sizeof g_caught);
  if (skipping()) return g_caught;
  run_catching(code, argument);
  return g_caught;
}

u32 user_stack_top() { return reinterpret_cast<u32>(g_user_stack + sizeof g_user_stack - 64); }

Caught run_user(void (*code)(u32), u32 eflags, u32 esp) {
  struct Entry {
    u32 eip, esp, eflags;
  } entry{reinterpret_cast<u32>(code), esp != 0 ? esp : user_stack_top(), eflags};
  return run(
      [](u32 argument) {
        const Entry& e = *reinterpret_cast<Entry*>(argument);
        enter_user(e.eip, e.esp, e.eflags);
      },
      reinterpret_cast<u32>(&entry));
}

const char* command_line() { return g_command_line; }

extern "C" void runtime_start(u32 magic, const MultibootInfo* info) {
  start_console();
  // The firmware may have left its timer running, at vectors that are exceptions here.
  out8(0x21, 0xff);
  out8(0xa1, 0xff);
  g_gdt[1] = make_descriptor(0, 0xfffff, 0x9b, 0xc);
  g_gdt[2] = make_descriptor(0, 0xfffff, 0x93, 0xc);
  g_gdt[3] = make_descriptor(0, 0xfffff, 0xfb, 0xc);
  g_gdt[4] = make_descriptor(0, 0xfffff, 0xf3, 0xc);
  g_tss.esp0 = reinterpret_cast<u32>(g_ring0_stack + sizeof g_ring0_stack);
  g_tss.ss0 = kKernelData;
  g_tss.io_map = sizeof g_tss;
  g_gdt[5] = make_descriptor(reinterpret_cast<u32>(&g_tss), sizeof g_tss - 1, 0x89, 0);
  reload_gdt();
  for (u32 vector = 0; vector < 256; ++vector) {
    const bool open = vector == 3 || vector == 0x80;
    g_idt[vector] =
        make_gate(kKernelCode, reinterpret_cast<u32>(vector_entries) + 16 * vector, open ? 0xee : 0x8e);
  }
  const TablePointer idt{sizeof g_idt - 1, g_idt};
  asm volatile("lidt %0\n ltr %w1" ::"m"(idt), "r"(kTssSelector));
  if (magic != 0x2badb002) {
    print("not started by a multiboot loader\n");
    leave(1);
  }
  keep_command_line(info);
  g_told_tcg = has_word(g_command_line, "tcg");
  guest_main();
  finish();
}
