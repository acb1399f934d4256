// Page tables under Xen: entries hold machine addresses, tables are read-only, and Xen changes them.
#pragma once

#include "xen-runtime/hypercall.h"

namespace xen {

constexpr u32 kPage = 4096, kLinearMap = 32 << 20;
constexpr u32 kPresent = 1, kWritable = 2, kUser = 4, kAccessed = 0x20, kDirty = 0x40, kLarge = 0x80,
              kGlobal = 0x100;

// What the guest calls a frame, and what the machine does. Both tables are Xen's: mfn_list of start_info, and
// the machine's, which all guests may read.
u32 mfn_of(u32 pfn);
u32 pfn_of(u32 mfn);
inline u32 mfn_of(const volatile void* page) { return mfn_of(address(page) / kPage); }
inline u64 machine_address(const volatile void* p) {
  return u64{mfn_of(p)} * kPage | (address(p) & (kPage - 1));
}
inline u64 entry_of(const volatile void* page, u32 flags) { return u64{mfn_of(page)} * kPage | flags; }
inline u32 mfn_in(u64 entry) { return static_cast<u32>(entry / kPage) & 0xffffff; }
// Where the table or page of an entry is in the linear map.
inline u64* table_in(u64 entry) { return reinterpret_cast<u64*>(pfn_of(mfn_in(entry)) * kPage); }

// The tables that the guest was started with; null where a level is missing. They can be read only.
u64* boot_root();
u64* directory_of(u32 linear);
u64* entry_of_page(u32 linear);

// One checked change of an entry.
int write_entry(const volatile u64* entry, u64 value);
// The linear map's entry of a page; with the TLB's copy.
int map_page(const volatile void* page, u32 flags);
inline int make_read_only(const volatile void* page) { return map_page(page, kPresent); }
inline int make_writable(const volatile void* page) { return map_page(page, kPresent | kWritable); }
inline int pin_table(const volatile void* page, u32 level) {
  return mmuext(MMUEXT_PIN_L1_TABLE + level - 1, mfn_of(page));
}
inline int unpin_table(const volatile void* page) { return mmuext(MMUEXT_UNPIN_TABLE, mfn_of(page)); }
inline int load_root(const volatile void* page) { return mmuext(MMUEXT_NEW_BASEPTR, mfn_of(page)); }

// Maps what is missing of the linear map; by start.
void complete_linear_map(u32 first_free);
// Pages that nothing uses yet, ascending; zeroed. The rest from next_page() on is the guest's.
u8* take_page();
u32 next_page();
u32 linear_map_end();

}  // namespace xen
