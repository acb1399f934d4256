// Page tables: the kernel's, which all address spaces share, and a program's own.
#include "era-bench/address_space.h"

#include "runtime/runtime.h"

extern "C" char user_image[], user_image_end[];

namespace {

constexpr u32 kEntries = 512;
u64 *g_kernel_directory, *g_apic_directory;

u32 address(const void* p) { return reinterpret_cast<u32>(p); }
u64* at(u32 frame) { return reinterpret_cast<u64*>(frame); }

u64* make_table() { return at(allocate_zeroed_frame()); }

// Global, so that a load of CR3 keeps them (SDM vol. 3A 4.10.2.4). Programs may read and execute the pages of
// user_*.cpp.
void map_kernel(u32 global) {
  g_kernel_directory = make_table();
  for (u32 linear = 0; linear < kMemory; linear += kPage) {
    u64& directory_entry = g_kernel_directory[linear >> 21];
    if (directory_entry == 0)
      directory_entry = ops::make_entry(address(make_table()), kPresent | kWritable | kUser);
    const bool user = linear >= address(user_image) && linear < address(user_image_end);
    at(frame_of(directory_entry))[linear >> 12 & (kEntries - 1)] =
        ops::make_entry(linear, kPresent | global | (user ? kUser : kWritable));
  }
}

void map_apic(u32 global) {
  g_apic_directory = make_table();
  u64* table = make_table();
  g_apic_directory[kApic >> 21 & (kEntries - 1)] = ops::make_entry(address(table), kPresent | kWritable);
  table[kApic >> 12 & (kEntries - 1)] = ops::make_entry(kApic, kPresent | kWritable | kUncached | global);
}

}  // namespace

AddressSpace make_address_space() {
  AddressSpace space;
  u64* pointers = make_table();
  space.root = address(pointers);
  space.directory = make_table();
  pointers[0] = ops::make_entry(address(g_kernel_directory), kPresent);
  pointers[1] = ops::make_entry(address(space.directory), kPresent);
  pointers[3] = ops::make_entry(address(g_apic_directory), kPresent);
  ops::adopt_table(space.root);
  return space;
}

AddressSpace start_paging() {
  const bool global = has_feature(kFeaturePge);
  map_kernel(global ? kGlobal : 0);
  map_apic(global ? kGlobal : 0);
  const AddressSpace space = make_address_space();
  ops::enable_paging(space.root, global);
  return space;
}

u64* page_entry(const AddressSpace& space, u32 linear, bool make) {
  u64& directory_entry = space.directory[linear >> 21 & (kEntries - 1)];
  if ((directory_entry & kPresent) == 0) {
    if (!make) return nullptr;
    const u32 table = allocate_zeroed_frame();
    ops::adopt_table(table);
    ops::set_entry(&directory_entry, ops::make_entry(table, kPresent | kWritable | kUser));
  }
  return at(frame_of(directory_entry)) + (linear >> 12 & (kEntries - 1));
}

void free_address_space(AddressSpace& space) {
  for (u32 i = 0; i < kEntries; ++i) {
    if ((space.directory[i] & kPresent) == 0) continue;
    u64* table = at(frame_of(space.directory[i]));
    for (u32 j = 0; j < kEntries; ++j)
      if ((table[j] & kPresent) != 0) release_frame(frame_of(table[j]));
    ops::drop_table(address(table));
    release_frame(address(table));
  }
  release_frame(address(space.directory));
  ops::drop_table(space.root);
  release_frame(space.root);
}
