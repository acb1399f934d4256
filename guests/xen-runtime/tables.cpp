// The linear map: what the domain builder began, completed; and changes of it.
#include "xen-runtime/xen.h"

namespace xen {

namespace {

constexpr u32 kEntries = 512;
u32 g_next_page, g_end;

// A level-1 table for 2 MiB from linear on. Its own page must be mapped already, and becomes read-only.
void add_table(u32 linear) {
  u64* table = reinterpret_cast<u64*>(take_page());
  for (u32 i = 0; i < kEntries && linear + i * kPage < g_end; ++i)
    table[i] = u64{mfn_of(linear / kPage + i)} * kPage | kPresent | kWritable;
  u64* directory = directory_of(linear);
  if (make_read_only(table) != 0 || write_entry(&directory[linear >> 21 & (kEntries - 1)],
                                                entry_of(table, kPresent | kWritable | kUser)) != 0)
    fail("the linear map can't be completed");
}

}  // namespace

u32 mfn_of(u32 pfn) { return reinterpret_cast<const u32*>(g_start->mfn_list)[pfn]; }
u32 pfn_of(u32 mfn) { return reinterpret_cast<const u32*>(MACH2PHYS_VIRT_START)[mfn]; }

u64* boot_root() { return reinterpret_cast<u64*>(g_start->pt_base); }

u64* directory_of(u32 linear) {
  const u64 entry = boot_root()[linear >> 30];
  return (entry & kPresent) == 0 ? nullptr : table_in(entry);
}

u64* entry_of_page(u32 linear) {
  u64* directory = directory_of(linear);
  if (directory == nullptr) return nullptr;
  const u64 entry = directory[linear >> 21 & (kEntries - 1)];
  return (entry & kPresent) == 0 ? nullptr : &table_in(entry)[linear >> 12 & (kEntries - 1)];
}

int write_entry(const volatile u64* entry, u64 value) {
  const mmu_update_t request{machine_address(entry) | MMU_NORMAL_PT_UPDATE, value};
  return mmu_update(&request, 1);
}

int map_page(const volatile void* page, u32 flags) {
  return update_va_mapping(address(page), entry_of(page, flags), UVMF_INVLPG);
}

void complete_linear_map(u32 first_free) {
  g_next_page = first_free;
  const u32 pages = g_start->nr_pages;
  g_end = pages < kLinearMap / kPage ? pages * kPage : kLinearMap;
  for (u32 linear = 0; linear < g_end; linear += kPage) {
    const u64* entry = entry_of_page(linear);
    if (entry == nullptr)
      add_table(linear & ~(kEntries * kPage - 1));
    else if ((*entry & kPresent) == 0 && make_writable(reinterpret_cast<void*>(linear)) != 0)
      fail("the linear map can't be completed");
  }
}

u8* take_page() {
  if (g_next_page >= g_end) fail("out of memory");
  u8* page = reinterpret_cast<u8*>(g_next_page);
  g_next_page += kPage;
  memory_set(page, 0, kPage);
  return page;
}

u32 next_page() { return g_next_page; }
u32 linear_map_end() { return g_end; }

}  // namespace xen
