// The allocator of page frames: a stack of free ones, and a count of owners each.
#include "era-bench/frames.h"

#include "era-bench/ops.h"
#include "era-bench/output.h"
#include "runtime/memory.h"

namespace {
constexpr u32 kFrames = kMemory / kPage;
u16 g_owners[kFrames];
u16 g_free[kFrames];
u32 g_free_count;
}  // namespace

// The highest first, so that a row which takes many gets neighbours in ascending order.
void start_frames() {
  if (!ops::has_memory(kMemory)) panic("32 MiB of RAM are needed");
  for (u32 frame = kFrames - 1; frame >= ops::first_free_frame() / kPage; --frame)
    g_free[g_free_count++] = static_cast<u16>(frame);
}

u32 allocate_frame() {
  if (g_free_count == 0) panic("out of memory");
  const u32 frame = g_free[--g_free_count];
  g_owners[frame] = 1;
  return frame * kPage;
}

u32 allocate_zeroed_frame() {
  const u32 frame = allocate_frame();
  memory_set(reinterpret_cast<void*>(frame), 0, kPage);
  return frame;
}

void share_frame(u32 frame) { ++g_owners[frame / kPage]; }
u32 owners_of(u32 frame) { return g_owners[frame / kPage]; }

void release_frame(u32 frame) {
  if (--g_owners[frame / kPage] == 0) g_free[g_free_count++] = static_cast<u16>(frame / kPage);
}
