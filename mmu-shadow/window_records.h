// WindowRecords: what of a guest's address space is mapped in a window, page by page.
//
// Records are kept by regions of 2 MiB that exist only where something is mapped. Pages of one guest-physical
// frame are chained, so that a change of the frame's attributes finds them. The VMAs that the kernel needs
// are counted as it merges them: neighbours of the same permission that are neighbours in memory are one.
#pragma once

#include <array>
#include <bit>
#include <memory>
#include <vector>

#include "mmu-shadow/guest_entries.h"

namespace ringshift {

// A range of page numbers: linear address >> 12.
struct PageRange {
  u32 first;
  u32 end;
};

class WindowRecords {
 public:
  struct Page {
    u32 frame;
    u32 next, previous;  // page number + 1 of other mappings of the frame; 0: none
    bool writable;
    u64 entry;  // the page-table entry as it stood when the page was put in; 0 in linear regions
  };
  struct Region {
    std::array<u64, kRegionPages / 64> present;
    u32 count;
    bool linear;
    u64 entry;                             // as DirectoryPath has it, as it stood
    std::array<Page, kRegionPages> pages;  // valid where present
  };

  // frames: how many the guest's RAM has.
  explicit WindowRecords(u64 frames);
  ~WindowRecords();
  WindowRecords(const WindowRecords&) = delete;

  u64 pages() const { return pages_; }
  u64 vmas() const { return vmas_; }
  Region* region(u32 index) const { return regions_[index].get(); }
  Page* find(u32 page) const {
    Region* const in = regions_[page / kRegionPages].get();
    return in != nullptr && has(*in, page % kRegionPages) ? &in->pages[page % kRegionPages] : nullptr;
  }
  bool any(PageRange range) const;

  // Whether pages of the path may be put into the region: it is empty, or was filled from the same entries.
  bool admits(u32 region, const DirectoryPath& path) const;

  // Records the pages of one mmap call, contiguous in memory; regions come into being from `path`.
  void put(PageRange range, u32 first_frame, bool writable, const DirectoryPath& path);
  void set_writable(PageRange range, bool writable);
  void erase(PageRange range);
  void erase_all();

  // Page numbers that map the frame now.
  std::vector<u32> mappings_of(u32 frame) const;

  // Calls f(region index) for each region in use; f may erase it.
  template <class F>
  void for_each_region(F f) const {
    for (u32 word = 0; word < active_.size(); ++word)
      for (u64 bits = active_[word]; bits != 0; bits &= bits - 1)
        f(word * 64 + static_cast<u32>(std::countr_zero(bits)));
  }
  // Calls f(index in the region) for each page present.
  template <class F>
  static void for_each_page(const Region& region, F f) {
    for (u32 word = 0; word < region.present.size(); ++word)
      for (u64 bits = region.present[word]; bits != 0; bits &= bits - 1)
        f(word * 64 + static_cast<u32>(std::countr_zero(bits)));
  }

 private:
  static bool has(const Region& region, u32 index) { return has_bit(region.present[index / 64], index % 64); }
  // Whether a VMA begins at the page.
  bool starts(u32 page) const;
  // VMAs that begin in the range or directly after it: what a change of the range may change.
  u64 count_starts(PageRange range) const;
  Region& open(u32 index, const DirectoryPath& path);
  void link(u32 page, Page& record);
  void unlink(const Page& record);
  void close_if_empty(u32 index);

  std::array<std::unique_ptr<Region>, kRegions> regions_;
  std::array<u64, kRegions / 64> active_{};
  u32* heads_;  // by frame: page number + 1 of its first mapping
  u64 frames_;
  u64 pages_ = 0;
  u64 vmas_ = 0;
};

}  // namespace ringshift
