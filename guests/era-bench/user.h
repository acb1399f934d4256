// What programs at CPL 3 have: system calls, time, and their entries. Their files are user_*.cpp, which the
// linker keeps apart (era-bench.ld), because a program can't see the kernel's pages.
#pragma once

#include "era-bench/address_space.h"
#include "era-bench/calls.h"

// The interface's usual way: SYSENTER, or INT 80h where that leads elsewhere.
inline u32 system_call(u32 call, u32 first = 0, u32 second = 0) {
  return ops::system_call(call, first, second);
}

inline u32 interrupt_call(u32 call, u32 first = 0) {
  u32 result;
  asm volatile("int $0x80" : "=a"(result) : "a"(call), "b"(first) : "memory");
  return result;
}

inline u64 user_tsc() {
  u64 value;
  asm volatile("rdtsc" : "=A"(value)::"memory");
  return value;
}

inline u32 user_cycles_since(u64 begin) {
  const u64 cycles = user_tsc() - begin;
  return cycles > 0xffffffff ? 0xffffffff : static_cast<u32>(cycles);
}

// As sample() of sampler.h; the sampler is the kernel's.
template <typename Operation>
[[gnu::always_inline]] inline void user_sample(Operation op) {
  for (u32 n = system_call(kBatch, 0); n != 0;) {
    const u64 begin = user_tsc();
    for (u32 i = n; i != 0; --i) op();
    n = system_call(kBatch, user_cycles_since(begin));
  }
}

// Where a program's function returns to: exit with its EAX.
extern "C" void leave_program();

u32 user_sysenter(u32);
u32 user_interrupt(u32);
u32 user_divide(u32);
u32 user_touch(u32 linear);
u32 user_switch(u32 bytes);
u32 user_partner(u32 bytes);
u32 user_forkwait(u32 forks);  // 0, or 1 after a wrong exit value
u32 user_mixed(u32 jobs);      // a checksum, as of those that follow; 0 if two passes differ
u32 user_compute_integer(u32);
u32 user_compute_x87(u32);
u32 user_compute_sse(u32);
u32 user_compute_stream(u32);
u32 user_compute_chase(u32);
