// Address spaces: the kernel's GiB, which all share, and a program's own.
#include "era-bench/address_space.h"

extern "C" char user_image[], user_image_end[];

namespace {

constexpr u32 kEntries = 512;
u64 *g_kernel_directory, *g_shared_top;

u32 address(const void* p) { return reinterpret_cast<u32>(p); }
u64* at(u32 frame) { return reinterpret_cast<u64*>(frame); }

u64* make_table() { return at(allocate_zeroed_frame()); }

}  // namespace

AddressSpace make_address_space() {
  AddressSpace space;
  u64* pointers = make_table();
  space.root = address(pointers);
  space.directory = make_table();
  space.top = ops::kTopIsShared ? g_shared_top : ops::make_top();
  pointers[0] = ops::make_entry(address(g_kernel_directory), kPresent);
  pointers[1] = ops::make_entry(address(space.directory), kPresent);
  pointers[3] = ops::make_entry(address(space.top), kPresent);
  return space;
}

void adopt_address_space(AddressSpace& space) {
  for (u32 i = 0; i < kEntries; ++i)
    if ((space.directory[i] & kPresent) != 0) ops::adopt_table(frame_of(space.directory[i]));
  ops::adopt_table(address(space.directory));
  if (!ops::kTopIsShared) ops::adopt_table(address(space.top));
  ops::adopt_root(space.root);
  space.adopted = true;
}

AddressSpace start_paging() {
  g_kernel_directory = ops::map_kernel(address(user_image), address(user_image_end));
  if (ops::kTopIsShared) g_shared_top = ops::make_top();
  AddressSpace space = make_address_space();
  adopt_address_space(space);
  ops::enable_paging(space.root);
  return space;
}

u64* page_entry(const AddressSpace& space, u32 linear, bool make) {
  u64& directory_entry = space.directory[linear >> 21 & (kEntries - 1)];
  if ((directory_entry & kPresent) == 0) {
    if (!make) return nullptr;
    const u32 table = allocate_zeroed_frame();
    const u64 entry = ops::make_entry(table, kPresent | kWritable | kUser);
    if (space.adopted) {
      ops::adopt_table(table);
      ops::commit_entries();
      ops::set_entry(&directory_entry, entry);
    } else {
      directory_entry = entry;
    }
  }
  return at(frame_of(directory_entry)) + (linear >> 12 & (kEntries - 1));
}

void free_address_space(AddressSpace& space) {
  ops::drop_root(space.root);
  for (u32 i = 0; i < kEntries; ++i) {
    if ((space.directory[i] & kPresent) == 0) continue;
    u64* table = at(frame_of(space.directory[i]));
    for (u32 j = 0; j < kEntries; ++j)
      if ((table[j] & kPresent) != 0) release_frame(frame_of(table[j]));
    ops::drop_table(address(table));
    release_frame(address(table));
  }
  ops::drop_table(address(space.directory));
  release_frame(address(space.directory));
  if (!ops::kTopIsShared) {
    ops::drop_table(address(space.top));
    release_frame(address(space.top));
  }
  ops::drop_table(space.root);
  release_frame(space.root);
  ops::commit_drops();
}
