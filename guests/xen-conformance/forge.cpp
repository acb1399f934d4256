// Frames and tables for attacks on Xen's interface.
#include "xen-conformance/forge.h"

namespace {
u32 g_hole;
}

u32 foreign_frame() {
  const u32* m2p = reinterpret_cast<const u32*>(MACH2PHYS_VIRT_START);
  for (u32 mfn = 0;; ++mfn) {
    const u32 pfn = m2p[mfn];
    if (pfn >= xen::g_start->nr_pages || xen::mfn_of(pfn) != mfn) return mfn;
  }
}

// At 3 GiB less 2 MiB: in the third GiB, for which a directory is made once.
u32 hole() {
  if (g_hole != 0) return g_hole;
  constexpr u32 kAt = 0xbfe00000;
  u64* directory = reinterpret_cast<u64*>(xen::take_page());
  u64* table = reinterpret_cast<u64*>(xen::take_page());
  directory[511] = xen::entry_of(table, xen::kPresent | xen::kWritable | xen::kUser);
  if (xen::make_read_only(directory) != 0 || xen::make_read_only(table) != 0 ||
      xen::write_entry(&xen::boot_root()[2], xen::entry_of(directory, xen::kPresent)) != 0)
    xen::fail("no table for the third GiB");
  return g_hole = kAt;
}

Tables make_tables() {
  Tables tables{};
  u64** const all[] = {&tables.root, &tables.directory, &tables.top, &tables.leaf};
  for (u64** table : all) *table = reinterpret_cast<u64*>(xen::take_page());
  tables.directory[0] = xen::entry_of(tables.leaf, xen::kPresent | xen::kWritable | xen::kUser);
  tables.root[0] = xen::boot_root()[0];
  tables.root[1] = xen::entry_of(tables.directory, xen::kPresent);
  tables.root[3] = xen::entry_of(tables.top, xen::kPresent);
  return tables;
}

void protect(const Tables& tables) {
  const u64* const all[] = {tables.root, tables.directory, tables.top, tables.leaf};
  for (const u64* table : all) xen::make_read_only(table);
}
void unprotect(const Tables& tables) {
  const u64* const all[] = {tables.root, tables.directory, tables.top, tables.leaf};
  for (const u64* table : all) xen::make_writable(table);
}
