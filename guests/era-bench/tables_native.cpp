// Page tables on bare hardware: the kernel's own, and the local APIC's.
#include "era-bench/address_space.h"

namespace {

constexpr u32 kEntries = 512;

u32 address(const void* p) { return reinterpret_cast<u32>(p); }
u64* make_table() { return reinterpret_cast<u64*>(allocate_zeroed_frame()); }
// Global, so that a load of CR3 keeps them (SDM vol. 3A 4.10.2.4).
u32 global_flag() { return has_feature(kFeaturePge) ? kGlobal : 0; }

}  // namespace

namespace ops {

u64* map_kernel(u32 user_begin, u32 user_end) {
  const u32 global = global_flag();
  u64* directory = make_table();
  for (u32 linear = 0; linear < kMemory; linear += kPage) {
    u64& directory_entry = directory[linear >> 21];
    if (directory_entry == 0)
      directory_entry = make_entry(address(make_table()), kPresent | kWritable | kUser);
    const bool user = linear >= user_begin && linear < user_end;
    reinterpret_cast<u64*>(frame_of(directory_entry))[linear >> 12 & (kEntries - 1)] =
        make_entry(linear, kPresent | global | (user ? kUser : kWritable));
  }
  return directory;
}

u64* make_top() {
  u64* directory = make_table();
  u64* table = make_table();
  directory[kApic >> 21 & (kEntries - 1)] = make_entry(address(table), kPresent | kWritable);
  table[kApic >> 12 & (kEntries - 1)] = make_entry(kApic, kPresent | kWritable | kUncached | global_flag());
  return directory;
}

// PAE before PG; PGE after (SDM vol. 3A 4.1.2, 4.10.2.4). WP: the kernel too must notice copy-on-write.
void enable_paging(u32 root) {
  write_cr4(read_cr4() | 0x20);
  load_root(root);
  write_cr0(read_cr0() | 0x80010000);
  if (global_flag() != 0) write_cr4(read_cr4() | 0x80);
}

}  // namespace ops
