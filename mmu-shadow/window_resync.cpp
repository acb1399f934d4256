// Resynchronisation: records compared with the guest's page tables as they are now.
#include <algorithm>

#include "cpu-model/control_registers.h"
#include "mmu-shadow/shadow_window.h"

namespace ringshift {

namespace {

// More changes than this in a region, and one call drops it all.
constexpr unsigned kFewChanges = 6;

// Changes of one region, joined where they adjoin.
class ChangeList {
 public:
  struct Change {
    PageRange range;
    Verdict verdict;
  };
  void add(u32 page, Verdict verdict) {
    if (count_ > kFewChanges) return;
    if (count_ != 0) {
      Change& last = changes_[count_ - 1];
      if (last.verdict == verdict && last.range.end == page) {
        ++last.range.end;
        return;
      }
    }
    if (count_ < kFewChanges) changes_[count_] = {{page, page + 1}, verdict};
    ++count_;
  }
  bool too_many() const { return count_ > kFewChanges; }
  const Change* begin() const { return changes_; }
  const Change* end() const { return changes_ + count_; }

 private:
  Change changes_[kFewChanges];
  unsigned count_ = 0;
};

}  // namespace

void ShadowWindow::resync(const Cpu& cpu) {
  ++counters_.resyncs;
  drop_watched(cpu);
  if (!cpu.paging()) return;
  records_.for_each_region([&](u32 index) { resync_region(cpu, index); });
}

void ShadowWindow::resync_page(const Cpu& cpu, Gva gva) {
  if (!cpu.paging()) return;
  const u32 page = gva >> kPageShift;
  const u32 index = page / kRegionPages;
  const DirectoryPath path = read_directory(cpu, index);
  // INVLPG drops all of a large page (SDM vol. 3A 4.10.4.1), which may be the region's twin too; and what
  // was large may be small by now.
  if (!path.pae) resync_twin(cpu, index ^ 1);
  if (records_.region(index) == nullptr || !still_stands(index, path)) return;
  if (path.linear || records_.find(page) == nullptr) return;
  compare_pages(index, path, changed_run(index, path, page % kRegionPages));
  if (records_.find(page) == nullptr && keeps_short_lived_out()) short_lived_.note_dropped(page);
}

// The page at `first` with those after it that must go too. A kernel that takes away a range changes all of
// its entries and flushes page by page; dropping early what is stale is a TLB's right, and one call.
PageRange ShadowWindow::changed_run(u32 index, const DirectoryPath& path, u32 first) const {
  constexpr u32 kLongest = 64;
  const u32 last = std::min(first + kLongest, kRegionPages);
  u32 end = first + 1;
  for (; end < last; ++end) {
    const WindowRecords::Page* const record = records_.find(index * kRegionPages + end);
    if (record == nullptr || compare_leaf(record->entry, path.page_entry(end)) != Verdict::drop) break;
  }
  return {first, end};
}

// Whether the entries above the region's pages are as recorded; if not, drops the region.
bool ShadowWindow::still_stands(u32 index, const DirectoryPath& path) {
  const WindowRecords::Region& in = *records_.region(index);
  Verdict verdict = Verdict::drop;
  if (in.linear == path.linear)
    verdict = in.linear ? compare_leaf(in.entry, path.entry) : compare_directory(in.entry, path.entry);
  if (verdict == Verdict::keep) return true;
  unmap_pages(pages_of_region(index));
  return false;
}

void ShadowWindow::resync_twin(const Cpu& cpu, u32 index) {
  if (records_.region(index) != nullptr) still_stands(index, read_directory(cpu, index));
}

void ShadowWindow::resync_region(const Cpu& cpu, u32 index) {
  if (records_.region(index) == nullptr) return;  // all was dropped on the way
  const DirectoryPath path = read_directory(cpu, index);
  if (still_stands(index, path) && !path.linear) compare_pages(index, path, {0, kRegionPages});
}

// The pages of the region with indices in `indices`: all of them, or a run of which each is present.
void ShadowWindow::compare_pages(u32 index, const DirectoryPath& path, PageRange indices) {
  WindowRecords::Region& in = *records_.region(index);
  ChangeList changes;
  const auto compare = [&](u32 at) {
    WindowRecords::Page& record = in.pages[at];
    const u64 now = path.page_entry(at);
    ++counters_.resynced_pages;
    const Verdict verdict = compare_leaf(record.entry, now);
    if (verdict == Verdict::keep) return;
    if (verdict == Verdict::drop || record.writable)
      changes.add(index * kRegionPages + at, verdict);
    else
      record.entry = now;  // read-only already
  };
  if (indices.end - indices.first == kRegionPages) {
    WindowRecords::for_each_page(in, compare);
  } else {
    for (u32 at = indices.first; at < indices.end; ++at) compare(at);
  }
  if (changes.too_many()) {
    unmap_pages(pages_of_region(index));
    return;
  }
  for (const ChangeList::Change& change : changes) {
    if (change.verdict == Verdict::drop) {
      unmap_pages(change.range);
      continue;
    }
    protect_pages(change.range);
    for (u32 page = change.range.first; page < change.range.end; ++page)
      if (WindowRecords::Page* const record = records_.find(page)) record->entry = path.page_entry(page);
  }
}

// Pages with watched bytes take the slow path; DR writes while breakpoints are armed flush everything.
void ShadowWindow::drop_watched(const Cpu& cpu) {
  if (!breakpoints_armed(cpu)) return;
  constexpr u32 kLongest = 8;
  for (unsigned i = 0; i < 4; ++i) {
    const Gva address = static_cast<Gva>(cpu.state.dr[i]);
    for (const Gva gva : {address, address + kLongest - 1}) unmap(align_down(gva, kPageSize), kPageSize);
  }
}

}  // namespace ringshift
