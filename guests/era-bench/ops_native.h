// Operations of the native interface: the instructions themselves (see ops.h).
#pragma once

#include "runtime/cpu.h"
#include "runtime/types.h"

namespace ops {

constexpr const char* kInterface = "native";
constexpr const char* kNoDevices = nullptr;
constexpr const char* kNoSysenter = nullptr;
constexpr const char* kNoHypervisor = "the native interface has no hypervisor to call";
constexpr u8 kTimerVector = 0x20;
constexpr u16 kUserCode = 0x1b, kUserData = 0x23;

void start();
const char* options();
void write(const char* text);
[[noreturn]] void end(bool good);
u32 tsc_khz();
bool has_memory(u32 bytes);
u32 first_free_frame();

inline void disable_interrupts() { asm volatile("cli" ::: "memory"); }
inline void enable_interrupts() { asm volatile("sti" ::: "memory"); }
// STI takes effect after the next instruction, so that no interrupt comes between (SDM vol. 2B, STI).
inline void idle() { asm volatile("sti\n hlt\n cli" ::: "memory"); }

// The kernel's, with user_begin to user_end for programs to read; and the local APIC's, one for all.
u64* map_kernel(u32 user_begin, u32 user_end);
u64* make_top();
constexpr bool kTopIsShared = true;
void enable_paging(u32 root);
inline void load_root(u32 root) { write_cr3(root); }
inline void flush_page(u32 linear) { ::flush_page(reinterpret_cast<const void*>(linear)); }
inline void flush_all() { write_cr3(read_cr3()); }
inline u64 make_entry(u32 frame, u32 flags) { return frame | flags; }
inline u32 frame_of(u64 entry) { return static_cast<u32>(entry) & ~0xfffu; }
// RAM is below 4 GiB: the upper halves stay 0, and an entry changes by one store, as without PAE.
inline void set_entry(volatile u64* entry, u64 value) {
  *reinterpret_cast<volatile u32*>(entry) = static_cast<u32>(value);
}
inline void queue_entry(volatile u64* entry, u64 value) { set_entry(entry, value); }
inline void commit_entries() {}
inline void change_page(volatile u64* entry, u32 linear, u64 value) {
  set_entry(entry, value);
  flush_page(linear);
}
inline void adopt_table(u32) {}
inline void adopt_root(u32) {}
inline void drop_root(u32) {}
inline void drop_table(u32) {}
inline void commit_drops() {}

inline u32 fault_address() { return read_cr2(); }
void set_trap(u8 vector, const void* entry, bool from_user);
// Address space and kernel stack of another process.
void switch_process(u32 root, u32 stack_top);
inline void set_task_switched(bool on) {
  if (on)
    write_cr0(read_cr0() | 8);
  else
    asm volatile("clts");
}

// Raises kTimerVector once, after at most 50,000 us; returns the TSC when it is due.
u64 arm_timer(u32 microseconds);
void acknowledge_timer();

// By SYSENTER, which keeps nothing: ECX and EDX say where to return to. EBP points to the stack as in all
// programs of Linux's: a monitor that runs this under Linux directly is asked for the word there.
[[gnu::always_inline]] inline u32 system_call(u32 call, u32 first, u32 second) {
  u32 result;
  asm volatile(
      "pushl %%ebp\n movl %%esp, %%ebp\n movl %%esp, %%ecx\n movl $1f, %%edx\n sysenter\n1: popl %%ebp"
      : "=a"(result)
      : "a"(call), "b"(first), "S"(second)
      : "ecx", "edx", "memory");
  return result;
}
inline void hypercall() {}

}  // namespace ops
