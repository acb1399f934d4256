// Finding, linking and dropping translated blocks.
#include "translator/block_table.h"

#include <algorithm>

#include "base/bits.h"
#include "base/check.h"

namespace ringshift::bt {

namespace {
// Evicted at once, to spare the other calls: some 200 blocks.
constexpr u64 kEvictionBatch = 32 * 1024;
}  // namespace

BlockTable::BlockTable(PhysicalMap& physical, CodeCache& cache, JumpEntry* jump_table)
    : physical_(physical), cache_(cache), jump_table_(jump_table), buckets_(kBuckets) {}

TranslationBlock* BlockTable::find(u32 eip, Gpa gpa, ModeKey mode) const {
  TranslationBlock* block = buckets_[bucket(gpa, mode)];
  for (; block != nullptr; block = block->BucketHook::next())
    if (block->gpa() == gpa && block->mode == mode && block->stands_at(eip)) return block;
  return nullptr;
}

TranslationBlock* BlockTable::insert(std::unique_ptr<TranslationBlock> block) {
  TranslationBlock* const inserted = block.get();
  blocks_.push_back(std::move(block));
  side_bytes_ += inserted->side_bytes();
  enter_tables(*inserted, inserted->linear);
  note_code_at(inserted->linear, inserted->global);
  note_code_at(inserted->linear + inserted->guest_bytes - 1, inserted->global);
  return inserted;
}

void BlockTable::enter_tables(TranslationBlock& block, Gva linear) {
  block.BucketHook::enter(buckets_[bucket(block.gpa(), block.mode)]);
  PageBlocks& page_blocks = by_page_[block.pages[0]];
  block.PageHook::enter(page_blocks.from);
  page_blocks.met_at = align_down(linear, kPageSize);
  if (!block.one_page()) block.SecondPageHook::enter(by_page_[block.pages[1]].into);
  for (const Gpa page : block.pages) {
    if (page == kNoPage) continue;
    physical_.add_attribute(page, kAttrBtCode);
    CodeWrites::Page* const written = writes_.find(page);
    if (written == nullptr) continue;
    ++written->returns;
    written->patience = CodeWrites::kPatience;
    guard(*written, block);
  }
}

TranslationBlock* BlockTable::revive(u32 eip, Gva linear, Gpa gpa, ModeKey mode, bool global) {
  const u8* const bytes = physical_.host(gpa);
  TranslationBlock* const block = bytes == nullptr ? nullptr : kept_.take(eip, gpa, mode, global, bytes);
  if (block == nullptr) return nullptr;
  block->valid = true;
  enter_tables(*block, linear);
  note_code_at(linear, global);
  ++counters_.revived;
  if (listener_ != nullptr) listener_->on_revived(*block);
  return block;
}

void BlockTable::link(Link& link, TranslationBlock& target) {
  if (link.target != nullptr || !target.valid) return;
  const u8* const to = link.backward ? target.polled_entry : target.entry;
  cache_.patch32(link.patch(), static_cast<u32>(to - (link.patch() + 4)));
  link.target = &target;
  link.enter(target.incoming);
  ++counters_.links;
  if (listener_ != nullptr) listener_->on_linked(link);
  if (!target.one_page() || target.pages[0] != link.source->pages[0]) {
    link.cross_page = static_cast<u32>(cross_page_links_.size());
    cross_page_links_.push_back(&link);
  }
}

void BlockTable::make_lookup(Link& link) {
  if (link.target == nullptr)
    cache_.patch32(link.patch(), static_cast<u32>(link.lookup_offset - (link.patch_offset + 4)));
}

void BlockTable::unlink(Link& link, UnlinkReason why) {
  if (link.target == nullptr) return;
  if (listener_ != nullptr) listener_->on_unlinked(link, why);
  cache_.patch32(link.patch(), static_cast<u32>(link.exit_offset - (link.patch_offset + 4)));
  link.leave();
  if (link.cross_page != Link::kNotCrossPage) {
    Link* const last = cross_page_links_.back();
    cross_page_links_[link.cross_page] = last;
    last->cross_page = link.cross_page;
    cross_page_links_.pop_back();
    link.cross_page = Link::kNotCrossPage;
  }
  link.target = nullptr;
  ++counters_.links_cut;
}

void BlockTable::cut_cross_page_links() {
  while (!cross_page_links_.empty()) unlink(*cross_page_links_.back(), UnlinkReason::mapping_changed);
}

void BlockTable::forget_page_without_blocks(Gpa page) {
  const auto found = by_page_.find(page);
  if (found == by_page_.end() || found->second.from != nullptr || found->second.into != nullptr) return;
  by_page_.erase(found);
  CodeWrites::Page* const written = writes_.find(page);
  if (written == nullptr || written->returns < CodeWrites::kPatchedReturns)
    return physical_.remove_attribute(page, kAttrBtCode);
  // It will have blocks again, and the attribute's coming and going costs microseconds.
  written->patience = std::min(written->patience, CodeWrites::kEmptyPatience);
}

// A relocatable block may stand at any page: wherever the low bits of its EIP are the same.
void BlockTable::forget_jumps_to(const TranslationBlock& block) {
  const u32 first = block.eip & (block.relocatable ? kPageOffsetMask : kJumpEntries - 1);
  for (u32 at = first; at < kJumpEntries; at += kPageSize) {
    if (jump_table_[at].target == block.landing) jump_table_[at] = {};
    if (!block.relocatable) return;
  }
}

// It isn't found any more and nothing leads to it; its memory stays until its part of the cache is reused.
void BlockTable::drop(TranslationBlock& block, DropReason why) {
  if (listener_ != nullptr) listener_->on_dropped(block, why);
  block.valid = false;
  while (block.incoming != nullptr) unlink(*block.incoming, UnlinkReason::block_dropped);
  for (Link& link : block.links) unlink(link, UnlinkReason::block_dropped);
  block.BucketHook::leave();
  forget_jumps_to(block);
  block.PageHook::leave();
  block.SecondPageHook::leave();
  for (const Gpa page : block.pages)
    if (page != kNoPage) forget_page_without_blocks(page);
  if (why == DropReason::code_written && block.source != nullptr) kept_.keep(block);
}

// The next block goes to the start of the ring, where the oldest are.
void BlockTable::start_lap() {
  ++counters_.laps;
  cache_.rewind();
  before_ = blocks_.size();
  cache_.set_limit(blocks_.empty() ? nullptr : blocks_.front()->code);
  global_code_.start_lap();
  local_code_.start_lap();
}

void BlockTable::evict_oldest() {
  TranslationBlock& block = *blocks_.front();
  if (block.valid) {
    drop(block, DropReason::cache_full);
    ++counters_.evicted;
  }
  block.BucketHook::leave();  // of those that are kept
  side_bytes_ -= block.side_bytes();
  blocks_.pop_front();
  if (before_ == 0) return;
  --before_;
  cache_.set_limit(before_ == 0 ? nullptr : blocks_.front()->code);
}

void BlockTable::make_room(u64 bytes) {
  RS_CHECK(bytes <= cache_.ring_bytes());
  ++epoch_;
  ++counters_.evictions;
  const u64 batch = std::min(kEvictionBatch, cache_.ring_bytes() / 8);
  if (side_bytes_ > side_limit())
    while (!blocks_.empty() && side_bytes_ > side_limit() - batch) evict_oldest();
  for (;;) {
    if (before_ != 0 && cache_.free_bytes() < bytes + batch)
      evict_oldest();
    else if (cache_.free_bytes() < bytes)
      start_lap();
    else
      return;
  }
}

bool BlockTable::roams(Gpa page, Gva linear) {
  const auto found = by_page_.find(page);
  if (found == by_page_.end()) return false;
  const PageBlocks& known = found->second;
  if (known.roams) return true;
  if (known.from == nullptr || known.met_at == align_down(linear, kPageSize)) return false;
  invalidate(page, kPageSize, DropReason::roams);
  by_page_[page].roams = true;
  return true;
}

void BlockTable::clear() {
  ++epoch_;
  if (listener_ != nullptr)
    for (const auto& block : blocks_)
      if (block->valid) listener_->on_dropped(*block, DropReason::cache_cleared);
  std::vector<Gpa> pages;
  for (const auto& [page, list] : by_page_) pages.push_back(page);
  by_page_.clear();
  for (CodeWrites::Page& written : writes_.slots()) {
    if (written.held()) pages.push_back(written.page);
    written = {};
  }
  for (const Gpa page : pages) physical_.remove_attribute(page, kAttrBtCode);
  std::fill(buckets_.begin(), buckets_.end(), nullptr);
  kept_.clear();
  cross_page_links_.clear();
  global_code_.clear();
  local_code_.clear();
  std::fill_n(jump_table_, kJumpEntries, JumpEntry{});
  blocks_.clear();
  before_ = 0;
  side_bytes_ = 0;
  cache_.rewind();
  cache_.set_limit(nullptr);
}

const TranslationBlock* BlockTable::containing(const u8* pc) const {
  const auto middle = blocks_.begin() + static_cast<std::ptrdiff_t>(before_);
  const bool before = before_ != 0 && pc >= blocks_.front()->code;
  const auto first = before ? blocks_.begin() : middle;
  const auto after = std::upper_bound(first, before ? middle : blocks_.end(), pc,
                                      [](const u8* at, const auto& block) { return at < block->code; });
  if (after == first) return nullptr;
  const TranslationBlock* const block = std::prev(after)->get();
  return pc < block->code + block->host_bytes ? block : nullptr;
}

}  // namespace ringshift::bt
