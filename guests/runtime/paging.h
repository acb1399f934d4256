// Page tables for guests: identity maps, and single pages changed at will.
#pragma once

#include "runtime/runtime.h"

constexpr u32 kPresent = 1, kWritable = 2, kUser = 4, kAccessed = 0x20, kDirty = 0x40, kLarge = 0x80,
              kGlobal = 0x100;

// Two-level tables that map the first 16 MiB to themselves, user and writable, and turn paging on.
void enable_paging();
void disable_paging();
// The entry of a page in those tables; the caller flushes.
volatile u32& page_entry(u32 linear);
volatile u32& directory_entry(u32 linear);
extern "C" u32 g_page_directory[1024];

// Three-level tables (PAE), the same map.
void enable_pae();
void disable_pae();
volatile u64& pae_entry(u32 linear);
volatile u64& pae_directory_entry(u32 linear);
extern "C" u64 g_pae_pointers[4];
