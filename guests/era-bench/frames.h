// Page frames: who owns which, and how often.
#pragma once

#include "runtime/types.h"

constexpr u32 kPage = 4096;
constexpr u32 kMemory = 32 << 20;  // what era-bench uses; the kernel sees it at its own address

void start_frames();
// The physical address of a frame with one owner; its content is whatever it was. Out of memory ends the
// guest.
u32 allocate_frame();
u32 allocate_zeroed_frame();
// Copy-on-write: several processes own one frame.
void share_frame(u32 frame);
u32 owners_of(u32 frame);
void release_frame(u32 frame);
