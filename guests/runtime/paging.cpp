// Page tables for guests.
#include "runtime/paging.h"

namespace {
constexpr u32 kMegabytes = 16;
constexpr u32 kAll = kPresent | kWritable | kUser;
alignas(4096) u32 g_tables[kMegabytes / 4][1024];
alignas(4096) u64 g_pae_directories[4][512];
alignas(4096) u64 g_pae_tables[kMegabytes / 2][512];
u32 address(const volatile void* p) { return reinterpret_cast<u32>(p); }
}  // namespace

alignas(4096) u32 g_page_directory[1024];
alignas(32) u64 g_pae_pointers[4];

void enable_paging() {
  memory_set(g_page_directory, 0, sizeof g_page_directory);
  for (u32 i = 0; i < kMegabytes / 4; ++i) {
    g_page_directory[i] = address(g_tables[i]) | kAll;
    for (u32 j = 0; j < 1024; ++j) g_tables[i][j] = (i << 22) | (j << 12) | kAll;
  }
  write_cr3(address(g_page_directory));
  write_cr0(read_cr0() | 0x80000000);
}

void disable_paging() { write_cr0(read_cr0() & ~0x80000000u); }

volatile u32& page_entry(u32 linear) { return g_tables[linear >> 22][(linear >> 12) & 1023]; }
volatile u32& directory_entry(u32 linear) { return g_page_directory[linear >> 22]; }

void enable_pae() {
  memory_set(g_pae_directories, 0, sizeof g_pae_directories);
  for (u32 i = 0; i < 4; ++i) g_pae_pointers[i] = address(g_pae_directories[i]) | kPresent;
  for (u32 i = 0; i < kMegabytes / 2; ++i) {
    g_pae_directories[0][i] = address(g_pae_tables[i]) | kAll;
    for (u32 j = 0; j < 512; ++j) g_pae_tables[i][j] = (i << 21) | (j << 12) | kAll;
  }
  write_cr4(read_cr4() | 0x20);
  write_cr3(address(g_pae_pointers));
  write_cr0(read_cr0() | 0x80000000);
}

void disable_pae() {
  disable_paging();
  write_cr4(read_cr4() & ~0x20u);
}

volatile u64& pae_entry(u32 linear) { return g_pae_tables[linear >> 21][(linear >> 12) & 511]; }
volatile u64& pae_directory_entry(u32 linear) {
  return g_pae_directories[linear >> 30][(linear >> 21) & 511];
}
