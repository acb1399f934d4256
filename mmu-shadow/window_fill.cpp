// Filling of a window: the walk, how far the neighbours are alike, one mmap.
#include <algorithm>

#include "cpu-model/control_registers.h"
#include "cpu-model/memory_access.h"
#include "mmu-shadow/shadow_window.h"

namespace ringshift {

namespace {

// Runs up to this are populated by the mmap: 0.2 us a page, where a host fault costs 0.7 us and brings 16.
constexpr u32 kPopulate = 16;
// At most this much at a time without paging; the kernel merges what adjoins, so that all RAM is one VMA.
constexpr u32 kPhysicalStep = (64u << 20) >> kPageShift;
constexpr u32 kLargePages32 = 1024;

bool plain_access(PageFlags flags, PageFlags kept_off, bool table_writable, bool writable) {
  const auto kind = static_cast<PageKind>(flags & kPageKindMask);
  if (kind == PageKind::unmapped || (flags & kept_off) != 0) return false;
  return (table_writable && kind == PageKind::ram && (flags & kWriteAttributes) == 0) == writable;
}

}  // namespace

bool ShadowWindow::for_this_window(const TlbEntry& entry, const Plan& plan) const {
  if (key_.role != WindowRole::global) return true;
  const u64 rights = plan.path.linear ? plan.path.entry : plan.path.entry & plan.leaf;
  return (entry.mapping & kTlbGlobal) != 0 && (rights & kEntryUser) == 0;
}

Outcome<FillResult> ShadowWindow::fill(Cpu& cpu, Gva gva, AccessKind kind) {
  ++counters_.fills;
  if (kind == AccessKind::fetch) return FillResult::slow;
  const TlbEntry* const found = RS_TRY(fill_tlb(cpu, gva, kind, cpu.user()));
  if (found == nullptr) {
    ++counters_.slow;
    return FillResult::slow;
  }
  if ((physical_.flags(found->page) & kept_off()) != 0) return FillResult::outside;
  if (short_lived_.has(gva >> kPageShift)) return FillResult::outside;
  Plan plan{};
  plan.page = gva >> kPageShift;
  plan.frame = static_cast<u32>(found->page >> kPageShift);
  plan.writable = found->write_tag != Tlb::kInvalid;
  plan.table_writable = (found->mapping & kTlbWritable) != 0;
  plan.path = read_directory(cpu, plan.page / kRegionPages);
  plan.leaf = plan.path.page_entry(plan.page);
  // The walk was made of these very entries, unless a device writes to page tables at this moment.
  if (cpu.a20(plan.path.frame_address(plan.page, plan.leaf)) != found->page) return FillResult::slow;
  if (!for_this_window(*found, plan)) return FillResult::outside;
  return map_plan(cpu, plan);
}

void ShadowWindow::prefill(Cpu& cpu, Gva gva, AccessKind kind) {
  const u32 page = gva >> kPageShift;
  const WindowRecords::Page* const record = records_.find(page);
  if (record != nullptr && (record->writable || kind == AccessKind::read)) return;
  const DirectoryPath path = read_directory(cpu, page / kRegionPages);
  if (cpu.paging()) {
    const u64 leaf = path.linear ? path.entry : path.page_entry(page);
    const u64 wanted = kEntryPresent | kEntryAccessed | (kind == AccessKind::write ? kEntryDirty : 0);
    const bool ready = (path.entry & kEntryAccessed) != 0 && (leaf & wanted) == wanted;
    if (!ready) return;
  }
  (void)fill(cpu, gva, kind);
}

FillResult ShadowWindow::map_plan(const Cpu& cpu, const Plan& plan) {
  if (!records_.admits(plan.page / kRegionPages, plan.path))
    unmap_pages(pages_of_region(plan.page / kRegionPages));
  const WindowRecords::Page* const old = records_.find(plan.page);
  const bool upgrade = old != nullptr && old->frame == plan.frame;
  // A fault although the page is there is none that a fill can cure.
  if (upgrade && (old->writable || !plan.writable)) {
    ++counters_.slow;
    return FillResult::slow;
  }
  const PageRange range = extent(cpu, plan, upgrade);
  const u32 frame = plan.frame - (plan.page - range.first);
  const u32 count = range.end - range.first;
  const u64 at = u64{range.first} << kPageShift;
  const u64 length = u64{count} << kPageShift;
  const bool done = upgrade ? target_->protect(at, length, true)
                            : target_->map(at, length, physical_.memory().fd(), u64{frame} << kPageShift,
                                           plan.writable, count <= kPopulate);
  if (!done) return FillResult::no_room;
  if (upgrade)
    ++counters_.upgrades;
  else
    counters_.pages_mapped += count;
  records_.put(range, frame, plan.writable, plan.path);
  return FillResult::mapped;
}

// Whether the page may be changed in one call with the plan's: it is absent (or read-only, and the plan's is
// to become writable), its entry has the same bits, and it is the neighbour in physical memory too, of the
// same attributes.
bool ShadowWindow::joins(const Cpu& cpu, const Plan& plan, u32 page, bool upgrade) const {
  const Gpa wanted = (Gpa{plan.frame} + page - plan.page) << kPageShift;
  const WindowRecords::Page* const there = records_.find(page);
  if ((there != nullptr) != upgrade || short_lived_.has(page)) return false;
  if (upgrade && (there->writable || Gpa{there->frame} << kPageShift != wanted)) return false;
  if (page % kRegionPages == 0 || page % kRegionPages == kRegionPages - 1) {
    if (!records_.admits(page / kRegionPages, plan.path)) return false;
  }
  u64 leaf = 0;
  if (!plan.path.linear) {
    leaf = plan.path.page_entry(page);
    if (((leaf ^ plan.leaf) & ~(kEntryFrame | kEntryIgnored)) != 0) return false;
  }
  if (cpu.a20(plan.path.frame_address(page, leaf)) != wanted) return false;
  return plain_access(physical_.flags(wanted), kept_off(), plan.table_writable, plan.writable);
}

PageRange ShadowWindow::extent(const Cpu& cpu, const Plan& plan, bool upgrade) const {
  PageRange range{plan.page, plan.page + 1};
  // Which neighbours hold watched bytes would have to be asked one by one.
  if (breakpoints_armed(cpu)) return range;
  u32 reach = kRegionPages;
  if (!cpu.paging())
    reach = kPhysicalStep;
  else if (plan.path.linear && !plan.path.pae)
    reach = kLargePages32;
  const u32 lowest = align_down(plan.page, reach);
  const u32 highest = std::min(lowest + reach, kWindowPages);
  while (range.first > lowest && joins(cpu, plan, range.first - 1, upgrade)) --range.first;
  while (range.end < highest && joins(cpu, plan, range.end, upgrade)) ++range.end;
  return range;
}

}  // namespace ringshift
