// What the programs of era-bench's compute rows have, as a program of the host: memory at the same place, and
// the sampler by a call instead of a system call.
#pragma once

#include "era-bench/sampler.h"
#include "runtime/types.h"

constexpr u32 kHeap = 0x40000000, kHeapBytes = 16 << 20;

template <typename Operation>
[[gnu::always_inline]] inline void user_sample(Operation op) {
  sample(op);
}

u32 user_compute_integer(u32);
u32 user_compute_x87(u32);
u32 user_compute_sse(u32);
u32 user_compute_stream(u32);
u32 user_compute_chase(u32);
