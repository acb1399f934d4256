// Upkeep of a window's records: presence, chains of mappings, the count of VMAs.
#include "mmu-shadow/window_records.h"

#include <sys/mman.h>

#include <algorithm>

#include "base/check.h"

namespace ringshift {

WindowRecords::WindowRecords(u64 frames) : frames_(frames) {
  // Anonymous memory, since most of it is never touched.
  void* heads = ::mmap(nullptr, frames * sizeof(u32), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  RS_CHECK(heads != MAP_FAILED);
  heads_ = static_cast<u32*>(heads);
}

WindowRecords::~WindowRecords() { ::munmap(heads_, frames_ * sizeof(u32)); }

bool WindowRecords::any(PageRange range) const {
  for (u32 page = range.first; page < range.end;) {
    const Region* const in = region(page / kRegionPages);
    if (in == nullptr) {
      page = align_down(page, kRegionPages) + kRegionPages;
      continue;
    }
    if (has(*in, page % kRegionPages)) return true;
    ++page;
  }
  return false;
}

bool WindowRecords::admits(u32 index, const DirectoryPath& path) const {
  const Region* const in = region(index);
  if (in == nullptr) return true;
  const u64 changed = (in->entry ^ path.entry) & ~kEntryIgnored;
  return in->linear == path.linear && changed == 0;
}

bool WindowRecords::starts(u32 page) const {
  const Page* const self = find(page);
  if (self == nullptr) return false;
  const Page* const before = page == 0 ? nullptr : find(page - 1);
  return before == nullptr || before->writable != self->writable || before->frame + 1 != self->frame;
}

u64 WindowRecords::count_starts(PageRange range) const {
  u64 count = range.end < kWindowPages && starts(range.end) ? 1 : 0;
  for (u32 page = range.first; page < range.end;) {
    const Region* const in = region(page / kRegionPages);
    if (in == nullptr) {
      page = align_down(page, kRegionPages) + kRegionPages;
      continue;
    }
    const u64 rest = in->present[page % kRegionPages / 64] >> (page % 64);
    if (rest == 0) {
      page = align_down(page, 64) + 64;
      continue;
    }
    page += static_cast<u32>(std::countr_zero(rest));
    if (page >= range.end) break;
    count += starts(page) ? 1 : 0;
    ++page;
  }
  return count;
}

WindowRecords::Region& WindowRecords::open(u32 index, const DirectoryPath& path) {
  std::unique_ptr<Region>& slot = regions_[index];
  if (slot == nullptr) {
    slot = std::make_unique_for_overwrite<Region>();
    slot->present.fill(0);
    slot->count = 0;
    active_[index / 64] |= u64{1} << (index % 64);
  }
  slot->linear = path.linear;
  slot->entry = path.entry;
  return *slot;
}

void WindowRecords::link(u32 page, Page& record) {
  RS_CHECK(record.frame < frames_);
  u32& head = heads_[record.frame];
  record.next = head;
  record.previous = 0;
  if (head != 0) find(head - 1)->previous = page + 1;
  head = page + 1;
}

void WindowRecords::unlink(const Page& record) {
  if (record.next != 0) find(record.next - 1)->previous = record.previous;
  if (record.previous != 0)
    find(record.previous - 1)->next = record.next;
  else
    heads_[record.frame] = record.next;
}

void WindowRecords::close_if_empty(u32 index) {
  if (regions_[index]->count != 0) return;
  regions_[index].reset();
  active_[index / 64] &= ~(u64{1} << (index % 64));
}

void WindowRecords::put(PageRange range, u32 first_frame, bool writable, const DirectoryPath& path) {
  const u64 before = count_starts(range);
  for (u32 page = range.first; page < range.end; ++page) {
    Region& in = open(page / kRegionPages, path);
    const u32 index = page % kRegionPages;
    Page& record = in.pages[index];
    if (has(in, index)) {
      unlink(record);
    } else {
      in.present[index / 64] |= u64{1} << (index % 64);
      ++in.count;
      ++pages_;
    }
    record = {first_frame + (page - range.first), 0, 0, writable, path.page_entry(page)};
    link(page, record);
  }
  // Inside they are all one; only its two edges can be boundaries.
  const bool after = range.end < kWindowPages && starts(range.end);
  vmas_ += (starts(range.first) ? 1 : 0) + (after ? 1 : 0);
  vmas_ -= before;
}

void WindowRecords::set_writable(PageRange range, bool writable) {
  const u64 before = count_starts(range);
  for (u32 page = range.first; page < range.end; ++page)
    if (Page* const record = find(page)) record->writable = writable;
  vmas_ += count_starts(range);
  vmas_ -= before;
}

void WindowRecords::erase(PageRange range) {
  const u64 before = count_starts(range);
  for (u32 page = range.first; page < range.end;) {
    const u32 index = page / kRegionPages;
    const u32 end = std::min(range.end, align_down(page, kRegionPages) + kRegionPages);
    Region* const in = region(index);
    for (; in != nullptr && page < end; ++page) {
      const u32 at = page % kRegionPages;
      if (!has(*in, at)) continue;
      unlink(in->pages[at]);
      in->present[at / 64] &= ~(u64{1} << (at % 64));
      --in->count;
      --pages_;
    }
    page = end;
    if (in != nullptr) close_if_empty(index);
  }
  vmas_ += range.end < kWindowPages && starts(range.end) ? 1 : 0;
  vmas_ -= before;
}

void WindowRecords::erase_all() {
  for_each_region([&](u32 index) {
    const Region& in = *regions_[index];
    for_each_page(in, [&](u32 at) { heads_[in.pages[at].frame] = 0; });
    regions_[index].reset();
  });
  active_.fill(0);
  pages_ = vmas_ = 0;
}

std::vector<u32> WindowRecords::mappings_of(u32 frame) const {
  std::vector<u32> pages;
  if (frame >= frames_) return pages;
  for (u32 at = heads_[frame]; at != 0; at = find(at - 1)->next) pages.push_back(at - 1);
  return pages;
}

}  // namespace ringshift
