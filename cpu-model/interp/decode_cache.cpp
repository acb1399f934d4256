// The decode cache: pages, the arena, and what writes drop.
#include "cpu-model/interp/decode_cache.h"

#include <algorithm>

namespace ringshift {

namespace {

constexpr u32 kMaxLength = 15;

// The 64-byte lines of a page that [first, end) touches, one bit each.
u64 lines_of(u32 first, u32 end) {
  const u32 low = first / 64;
  const u32 high = (end - 1) / 64;
  return (~u64{0} << low) & (~u64{0} >> (63 - high));
}

}  // namespace

DecodeCache::DecodeCache(PhysicalMap& phys)
    : phys_(phys),
      arena_(static_cast<DecodedInstruction*>(std::calloc(kArenaEntries, sizeof(DecodedInstruction)))) {
  RS_CHECK(arena_ != nullptr);
  arena_[0].mode = kNoMode;
  recent_.fill(&none_);
  phys_.add_listener(this, kAttrInterpCode);
}

DecodeCache::~DecodeCache() {
  phys_.remove_listener(this);
  for (const auto& [gpa, page] : pages_) phys_.remove_attribute(gpa, kAttrInterpCode);
}

DecodeCache::Page& DecodeCache::look_up(Gpa gpa) {
  Page*& recent = recent_[(gpa >> kPageShift) % kRecent];
  if (recent->gpa != gpa) {
    std::unique_ptr<Page>& page = pages_[gpa];
    if (!page) {
      page = std::make_unique<Page>();
      page->gpa = gpa;
      phys_.add_attribute(gpa, kAttrInterpCode);
    }
    recent = page.get();
  }
  recent->quiet_writes = 0;
  current_ = recent;
  return *recent;
}

const DecodedInstruction* DecodeCache::insert(Page& page, u32 offset, const DecodedInstruction& decoded) {
  u32& slot = page.slot[offset];
  if (slot == 0) {
    if (used_ == kArenaEntries) return nullptr;
    slot = used_++;
    ++page.count;
  }
  ++counters_.inserted;
  arena_[slot] = decoded;
  page.lines |= lines_of(offset, offset + decoded.insn.length);
  return &arena_[slot];
}

void DecodeCache::invalidate(Page& page, u32 first, u32 end) {
  for (u32 offset = first < kMaxLength ? 0 : first - (kMaxLength - 1); offset < end; ++offset) {
    u32& slot = page.slot[offset];
    if (slot == 0 || offset + arena_[slot].insn.length <= first) continue;
    slot = 0;
    --page.count;
    ++counters_.invalidated;
  }
}

void DecodeCache::on_write(Gpa gpa, u32 length) {
  const Gpa base = align_down(gpa, Gpa{kPageSize});
  const auto found = pages_.find(base);
  if (found == pages_.end() || length == 0) return;
  Page& page = *found->second;
  const u32 first = static_cast<u32>(gpa - base);
  const u32 end = std::min(first + length, kPageSize);
  if ((page.lines & lines_of(first, end)) != 0) invalidate(page, first, end);
  // A page that is written but not executed has become data: writes to it should be fast again.
  if (page.count == 0 || (&page != current_ && ++page.quiet_writes > kQuietWrites)) drop(base);
}

void DecodeCache::on_page_changed(Gpa gpa) {
  if (phys_.kind(gpa) == PageKind::unmapped) drop(gpa);
}

void DecodeCache::drop(Gpa gpa) {
  const auto found = pages_.find(gpa);
  if (found == pages_.end()) return;
  if (current_->gpa == gpa) current_ = &none_;
  Page*& recent = recent_[(gpa >> kPageShift) % kRecent];
  if (recent->gpa == gpa) recent = &none_;
  pages_.erase(found);
  ++counters_.pages_dropped;
  phys_.remove_attribute(gpa, kAttrInterpCode);
}

void DecodeCache::reset() {
  while (!pages_.empty()) drop(pages_.begin()->first);
  used_ = 1;
  ++counters_.resets;
}

}  // namespace ringshift
