// Finding, linking and dropping translated blocks.
#include "translator/block_table.h"

#include <algorithm>

#include "base/bits.h"

namespace ringshift::bt {

BlockTable::BlockTable(PhysicalMap& physical, CodeCache& cache, JumpEntry* jump_table)
    : physical_(physical),
      cache_(cache),
      jump_table_(jump_table),
      buckets_(kBuckets),
      code_pages_(1u << 15) {}

unsigned BlockTable::bucket(u32 eip, Gpa page, ModeKey mode) {
  u64 hash = (u64{eip} << 20) ^ (page >> kPageShift) ^ (u64{mode.value()} << 40);
  hash *= 0x9e3779b97f4a7c15u;
  return static_cast<unsigned>(hash >> 48);
}

TranslationBlock* BlockTable::find(u32 eip, Gpa page, ModeKey mode) const {
  for (TranslationBlock* block : buckets_[bucket(eip, page, mode)])
    if (block->eip == eip && block->pages[0] == page && block->mode == mode) return block;
  return nullptr;
}

TranslationBlock* BlockTable::insert(std::unique_ptr<TranslationBlock> block) {
  TranslationBlock* const inserted = block.get();
  blocks_.push_back(std::move(block));
  buckets_[bucket(inserted->eip, inserted->pages[0], inserted->mode)].push_back(inserted);
  for (const Gpa page : inserted->pages) {
    if (page == kNoPage) continue;
    by_page_[page].push_back(inserted);
    physical_.add_attribute(page, kAttrBtCode);
  }
  for (const u32 at : {inserted->eip, inserted->eip + inserted->guest_bytes - 1})
    code_pages_[at >> 17] |= 1u << ((at >> kPageShift) & 31);
  return inserted;
}

void BlockTable::link(Link& link, TranslationBlock& target) {
  if (link.target != nullptr || !target.valid) return;
  const u8* const to = link.backward ? target.polled_entry : target.entry;
  cache_.patch32(link.patch, static_cast<u32>(to - (link.patch + 4)));
  link.target = &target;
  link.next_incoming = target.incoming;
  target.incoming = &link;
  ++counters_.links;
  if (!target.one_page() || target.pages[0] != link.source->pages[0]) cross_page_links_.push_back(&link);
}

void BlockTable::make_lookup(Link& link) {
  if (link.target == nullptr)
    cache_.patch32(link.patch, static_cast<u32>(link.lookup_stub - (link.patch + 4)));
}

void BlockTable::unlink(Link& link) {
  if (link.target == nullptr) return;
  cache_.patch32(link.patch, static_cast<u32>(link.exit_stub - (link.patch + 4)));
  for (Link** at = &link.target->incoming; *at != nullptr; at = &(*at)->next_incoming) {
    if (*at != &link) continue;
    *at = link.next_incoming;
    break;
  }
  link.target = nullptr;
  ++counters_.links_cut;
}

void BlockTable::cut_cross_page_links() {
  for (Link* link : cross_page_links_) unlink(*link);
  cross_page_links_.clear();
}

void BlockTable::remove_from_page(Gpa page, TranslationBlock& block) {
  const auto found = by_page_.find(page);
  if (found == by_page_.end()) return;
  std::erase(found->second, &block);
  if (!found->second.empty()) return;
  by_page_.erase(found);
  physical_.remove_attribute(page, kAttrBtCode);
}

void BlockTable::drop(TranslationBlock& block) {
  block.valid = false;
  ++epoch_;
  ++counters_.invalidated;
  while (block.incoming != nullptr) unlink(*block.incoming);
  for (Link& link : block.links) unlink(link);
  std::erase(buckets_[bucket(block.eip, block.pages[0], block.mode)], &block);
  JumpEntry& jump = jump_table_[block.eip & (kJumpEntries - 1)];
  if (jump.target == block.polled_entry) jump = {};
  for (const Gpa page : block.pages)
    if (page != kNoPage) remove_from_page(page, block);
}

void BlockTable::invalidate(Gpa gpa, u32 length) {
  const Gpa page = align_down(gpa, Gpa{kPageSize});
  const auto found = by_page_.find(page);
  if (found == by_page_.end()) return;
  std::vector<TranslationBlock*> hit;
  for (TranslationBlock* block : found->second) {
    const auto touches = [&](Gpa first, u64 bytes) { return first < gpa + length && gpa < first + bytes; };
    const u32 here = std::min<u32>(block->guest_bytes, kPageSize - block->first_byte);
    const bool overlaps = (block->pages[0] == page && touches(page + block->first_byte, here)) ||
                          (block->pages[1] == page && touches(page, block->guest_bytes - here));
    if (overlaps) hit.push_back(block);
  }
  for (TranslationBlock* block : hit) drop(*block);
}

void BlockTable::clear() {
  ++epoch_;
  std::vector<Gpa> pages;
  for (const auto& [page, list] : by_page_) pages.push_back(page);
  by_page_.clear();
  for (const Gpa page : pages) physical_.remove_attribute(page, kAttrBtCode);
  for (auto& list : buckets_) list.clear();
  cross_page_links_.clear();
  std::fill(code_pages_.begin(), code_pages_.end(), 0);
  std::fill_n(jump_table_, kJumpEntries, JumpEntry{});
  blocks_.clear();
}

const TranslationBlock* BlockTable::containing(const u8* pc) const {
  const auto after =
      std::upper_bound(blocks_.begin(), blocks_.end(), pc,
                       [](const u8* at, const auto& block) { return at < block->polled_entry; });
  if (after == blocks_.begin()) return nullptr;
  const TranslationBlock* const block = std::prev(after)->get();
  return pc < block->polled_entry + block->host_bytes ? block : nullptr;
}

}  // namespace ringshift::bt
