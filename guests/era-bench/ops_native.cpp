// Operations of the native interface that aren't one instruction: start, gates, the timer and the end.
#include "era-bench/entry.h"
#include "era-bench/ops.h"
#include "era-bench/output.h"
#include "runtime/arithmetic.h"
#include "runtime/pic.h"

extern "C" char image_end[];

namespace {

constexpr u32 kPitHz = 1193182;
u32 g_tsc_khz;

// Counter 2 of the 8254, gated by port 61h, counts 1/64 s without an interrupt (8254 data sheet, mode 0):
// every PC has it, and so has every virtual one. The best of eight, since a host may take the CPU away
// meanwhile: the least TSC for the same count.
u32 measure_tsc() {
  constexpr u32 kCount = kPitHz / 64;
  u64 best = ~0ull;
  for (u32 i = 0; i < 8; ++i) {
    out8(0x61, (in8(0x61) & 0x0c) | 1);
    out8(0x43, 0xb0);
    out8(0x42, static_cast<u8>(kCount));
    out8(0x42, kCount >> 8);
    const u64 begin = read_tsc();
    while ((in8(0x61) & 0x20) == 0) {
    }
    const u64 taken = read_tsc() - begin;
    if (taken < best) best = taken;
  }
  return static_cast<u32>(divide(best * 64, 1000));
}

// SYSENTER's stack is the TSS's esp0, read by the first instruction at its target, so that a switch of
// processes changes one word and no MSR (as Linux does).
void start_sysenter() {
  write_msr(0x174, kKernelCode);
  write_msr(0x175, reinterpret_cast<u32>(&g_tss.esp0));
  write_msr(0x176, reinterpret_cast<u32>(system_enter));
}

}  // namespace

namespace ops {

void start() {
  use_serial_console();
  if (!has_feature(kFeatureSep) || !has_feature(kFeaturePae)) panic("a CPU with SYSENTER and PAE is needed");
  start_pics();
  out8(0x21, 0xfe);  // IRQ 0 only
  // x87 and SSE for programs (SDM vol. 3A 9.2, 9.6): CR0.MP and NE, not EM nor TS; CR4.OSFXSR and OSXMMEXCPT.
  write_cr0((read_cr0() & ~0xcu) | 0x22);
  if (has_feature(kFeatureSse)) write_cr4(read_cr4() | 0x600);
  start_sysenter();
  g_tsc_khz = measure_tsc();
}

const char* options() { return command_line(); }
void write(const char* text) { print(text); }

void end(bool good) {
  if (good) finish();
  out32(0xf4, 1);
  for (;;) asm volatile("cli; hlt");
}

u32 tsc_khz() { return g_tsc_khz; }

// An absent address reads as ones.
bool has_memory(u32 bytes) {
  constexpr u32 kPattern = 0x5a5aa5a5;
  volatile u32* last = reinterpret_cast<u32*>(bytes - sizeof(u32));
  *last = kPattern;
  return *last == kPattern;
}

u32 first_free_frame() { return reinterpret_cast<u32>(image_end); }

// Interrupt gates (SDM vol. 3A 6.11): IF is clear in the kernel.
void set_trap(u8 vector, const void* entry, bool from_user) {
  g_idt[vector] = make_gate(kKernelCode, reinterpret_cast<u32>(entry), from_user ? 0xee : 0x8e);
}

void switch_process(u32 root, u32 stack_top) {
  load_root(root);
  g_tss.esp0 = stack_top;
}

// Mode 0: OUT, which is IRQ 0, rises count + 1 ticks after the count was written (8254 data sheet).
u64 arm_timer(u32 microseconds) {
  const u32 count = static_cast<u32>(divide(u64{microseconds} * kPitHz, 1000000));
  program_timer(0, static_cast<u16>(count));
  return read_tsc() + divide(u64{count + 1} * g_tsc_khz * 1000, kPitHz);
}

void acknowledge_timer() { end_of_interrupt(0); }

}  // namespace ops
