// Operations of the native interface: the instructions themselves (see ops.h).
#pragma once

#include "runtime/cpu.h"
#include "runtime/types.h"

namespace ops {

constexpr const char* kInterface = "native";
constexpr u8 kTimerVector = 0x20;

void start();
const char* options();
void write(const char* text);
[[noreturn]] void end(bool good);
u32 tsc_khz();

inline void disable_interrupts() { asm volatile("cli" ::: "memory"); }
inline void enable_interrupts() { asm volatile("sti" ::: "memory"); }
// STI takes effect after the next instruction, so that no interrupt comes between (SDM vol. 2B, STI).
inline void idle() { asm volatile("sti\n hlt\n cli" ::: "memory"); }

void enable_paging(u32 root, bool global_pages);
inline void load_root(u32 root) { write_cr3(root); }
inline void flush_page(u32 linear) { ::flush_page(reinterpret_cast<const void*>(linear)); }
inline u64 make_entry(u32 frame, u32 flags) { return frame | flags; }
// RAM is below 4 GiB: the upper halves stay 0, and an entry changes by one store, as without PAE.
inline void set_entry(volatile u64* entry, u64 value) {
  *reinterpret_cast<volatile u32*>(entry) = static_cast<u32>(value);
}
inline void adopt_table(u32) {}
inline void drop_table(u32) {}

inline u32 fault_address() { return read_cr2(); }
void set_trap(u8 vector, const void* entry, bool from_user);
void set_kernel_stack(u32 top);
inline void set_task_switched(bool on) {
  if (on)
    write_cr0(read_cr0() | 8);
  else
    asm volatile("clts");
}

// Raises kTimerVector once, after at most 50,000 us; returns the TSC when it is due.
u64 arm_timer(u32 microseconds);
void acknowledge_timer();

}  // namespace ops
