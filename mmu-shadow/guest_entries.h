// What stands in the guest's page tables, read without a walk's effects, and what a change of it means.
//
// Rights are cpu-model's walk()'s business alone. Here entries are compared: a neighbour whose entry has the
// same bits as one that was walked has the same rights, and a record that has the same bits as the tables is
// as good as a fresh walk.
#pragma once

#include "base/bits.h"
#include "cpu-model/cpu.h"

namespace ringshift {

// A region is what one PAE page table maps: 2 MiB; one of 32-bit paging maps two.
inline constexpr u32 kRegionPages = 512;
inline constexpr u32 kRegions = (1u << 20) / kRegionPages;
inline constexpr u32 kWindowPages = kRegions * kRegionPages;

// SDM vol. 3A 4.3, 4.4: bits that both forms have.
inline constexpr u64 kEntryPresent = 1u << 0;
inline constexpr u64 kEntryWritable = 1u << 1;
inline constexpr u64 kEntryUser = 1u << 2;
inline constexpr u64 kEntryAccessed = 1u << 5;
inline constexpr u64 kEntryDirty = 1u << 6;
inline constexpr u64 kEntryLarge = 1u << 7;
inline constexpr u64 kEntryGlobal = 1u << 8;
// Bits 9 to 11 are software's, and no CPU looks at them.
inline constexpr u64 kEntryIgnored = 7u << 9;
// Up to CPUID's 36 bits of physical address.
inline constexpr u64 kEntryFrame = 0xffffff000;

// What stands above the page table of one region. Where it was found (CR3, PDPTE) gives no rights and is not
// in it, so that address spaces which share their page tables agree. Without paging: no entry, and `linear`.
struct DirectoryPath {
  u64 entry = 0;              // the page-directory entry
  bool linear = false;        // the region is one piece: a large page's, or there is no paging
  u64 origin = 0;             // linear: physical address that linear address 0 would have
  const u8* table = nullptr;  // else the region's first page-table entry; null if there is no table
  bool pae = false;

  // Of the page with this number.
  u64 page_entry(u32 page) const;
  Gpa frame_address(u32 page, u64 leaf) const {
    return linear ? origin + (u64{page} << kPageShift) : leaf & kEntryFrame;
  }
};

DirectoryPath read_directory(const Cpu& cpu, u32 region);

// What a record has to suffer for the tables' change since it was made.
enum class Verdict : u8 {
  keep,
  protect,  // D or R/W was cleared: make it read-only
  drop,
};
Verdict compare_leaf(u64 recorded, u64 now);
// Of an entry that points to a page table: kept or dropped.
Verdict compare_directory(u64 recorded, u64 now);

// All that decides, beside the tables, what a walk gives (SDM vol. 3A 4.1.3, and A20).
u32 paging_mode(const Cpu& cpu);

}  // namespace ringshift
