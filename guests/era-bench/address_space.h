// Address spaces: three-level PAE tables (SDM vol. 3A 4.4). The kernel is the same in all, from 0 to 32 MiB,
// and the local APIC at its address; programs have 1 GiB from 4000'0000h.
#pragma once

#include "era-bench/frames.h"
#include "era-bench/ops.h"

constexpr u32 kPresent = 1, kWritable = 2, kUser = 4, kUncached = 0x18, kGlobal = 0x100;
constexpr u32 kCopyOnWrite = 0x200;  // one of the bits that the CPU leaves to us
constexpr u32 kUserBase = 0x40000000, kUserEnd = 0x80000000;
constexpr u32 kHeap = kUserBase, kHeapEnd = kHeap + (16 << 20);
constexpr u32 kStackEnd = kUserEnd, kStack = kStackEnd - 16 * kPage;
constexpr u32 kApic = 0xfee00000;

struct AddressSpace {
  u32 root = 0;              // the page of four directory pointers
  u64* directory = nullptr;  // of the program's GiB
  u64* top = nullptr;        // of the fourth
  bool adopted = false;      // until then its entries are written by stores
};

// Makes the kernel's tables and turns paging on.
AddressSpace start_paging();
// One that can't be loaded before it is adopted.
AddressSpace make_address_space();
void adopt_address_space(AddressSpace& space);
void free_address_space(AddressSpace& space);
// The entry of a page of the program's GiB; null if there is no table and none is wanted.
u64* page_entry(const AddressSpace& space, u32 linear, bool make);

inline u32 frame_of(u64 entry) { return ops::frame_of(entry); }
inline u32 flags_of(u64 entry) { return static_cast<u32>(entry) & (kPage - 1); }
