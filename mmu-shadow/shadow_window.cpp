// A window's life, and the ways in which pages leave it.
#include "mmu-shadow/shadow_window.h"

#include <algorithm>

namespace ringshift {

Result<std::unique_ptr<ShadowWindow>> ShadowWindow::create(PhysicalMap& physical, WindowKey key) {
  auto range = std::make_unique<WindowRange>(RS_TRY(WindowRange::reserve()));
  u8* const base = range->base();
  auto window = std::make_unique<ShadowWindow>(physical, key, std::move(range));
  window->base_ = base;
  return window;
}

ShadowWindow::ShadowWindow(PhysicalMap& physical, WindowKey key, std::unique_ptr<WindowTarget> target)
    : physical_(physical),
      target_(std::move(target)),
      key_(key),
      records_(physical.memory().size() >> kPageShift) {}

void ShadowWindow::assign(WindowKey key) {
  drop_all();
  short_lived_.forget();
  key_ = key;
}

void ShadowWindow::drop_all() {
  if (records_.pages() == 0) return;
  ++counters_.full_drops;
  target_->unmap_all();
  records_.erase_all();
}

void ShadowWindow::unmap(Gva first, u64 length) {
  if (length == 0) return;
  const u64 end = std::min((u64{first} + length + kPageOffsetMask) >> kPageShift, u64{kWindowPages});
  unmap_pages({first >> kPageShift, static_cast<u32>(end)});
}

void ShadowWindow::unmap_pages(PageRange range) {
  if (!records_.any(range)) return;
  ++counters_.unmap_calls;
  // Cutting a piece out of a VMA needs one more, which the host may not have: then all goes.
  if (!target_->unmap(u64{range.first} << kPageShift, u64{range.end - range.first} << kPageShift)) {
    drop_all();
    return;
  }
  records_.erase(range);
}

// All pages of the range are present.
void ShadowWindow::protect_pages(PageRange range) {
  ++counters_.protect_calls;
  if (!target_->protect(u64{range.first} << kPageShift, u64{range.end - range.first} << kPageShift, false)) {
    drop_all();
    return;
  }
  records_.set_writable(range, false);
}

void ShadowWindow::on_page_changed(Gpa page) {
  const PageFlags flags = physical_.flags(page);
  const auto kind = static_cast<PageKind>(flags & kPageKindMask);
  const bool readable = kind != PageKind::unmapped && (flags & kept_off()) == 0;
  const bool plain_write = kind == PageKind::ram && (flags & kWriteAttributes) == 0;
  // An attribute that went leaves read-only mappings behind; the next write's fill makes them writable.
  if (readable && plain_write) return;
  for (const u32 at : records_.mappings_of(static_cast<u32>(page >> kPageShift))) {
    const WindowRecords::Page* const record = records_.find(at);
    if (record == nullptr) return;  // all was dropped on the way
    if (!readable)
      unmap_pages({at, at + 1});
    else if (record->writable)
      protect_pages(code_around(at));
  }
}

// A kernel's code stands by code: what is writable around the page is protected by the same call. A store to
// it, if ever one comes, makes it writable again.
PageRange ShadowWindow::code_around(u32 page) const {
  constexpr u32 kGroup = 16;
  PageRange range{page, page + 1};
  const u32 lowest = align_down(page, kGroup);
  if (key_.role == WindowRole::physical || key_.role == WindowRole::user) return range;
  while (range.first > lowest && writable_page(range.first - 1)) --range.first;
  while (range.end < lowest + kGroup && writable_page(range.end)) ++range.end;
  return range;
}

void ShadowWindow::evict(u64 vmas) {
  const u64 enough = records_.vmas() > vmas ? records_.vmas() - vmas : 0;
  // Goes round the regions, so that none is always the first to go.
  for (u32 i = 0; i < kRegions && records_.vmas() > enough; ++i) {
    const u32 index = (evict_from_ + i) % kRegions;
    if (records_.region(index) == nullptr) continue;
    ++counters_.evicted_regions;
    evict_from_ = index + 1;
    unmap_pages(pages_of_region(index));
  }
}

}  // namespace ringshift
