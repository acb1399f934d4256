// Resynchronisation: records compared with the guest's page tables as they are now.
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
  if (!path.linear && records_.find(page) != nullptr)
    compare_pages(index, path, {page % kRegionPages, page % kRegionPages + 1});
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

// The pages of the region with indices in `indices`.
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
  if (indices.end - indices.first == 1)
    compare(indices.first);
  else
    WindowRecords::for_each_page(in, compare);
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
