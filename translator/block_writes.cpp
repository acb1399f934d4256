// BlockTable: what a write drops, and the pages that are written to.
#include <algorithm>

#include "base/bits.h"
#include "translator/block_table.h"

namespace ringshift::bt {

unsigned BlockTable::drop_touched(Gpa gpa, u32 length, DropReason why) {
  const Gpa page = align_down(gpa, Gpa{kPageSize});
  const auto found = by_page_.find(page);
  if (found == by_page_.end()) return 0;
  std::vector<TranslationBlock*> hit;
  // `bytes` of the block, from `skipped` on, stand at `first`.
  const auto look_at = [&](TranslationBlock& block, Gpa first, u32 skipped, u32 bytes) {
    if (first >= gpa + length || gpa >= first + bytes) return;
    const u32 from = gpa > first ? static_cast<u32>(gpa - first) : 0;
    const u32 to = static_cast<u32>(std::min(gpa + length - first, Gpa{bytes}));
    if (block.depends_on(skipped + from, skipped + to)) hit.push_back(&block);
  };
  for (TranslationBlock* block = found->second.from; block != nullptr; block = block->PageHook::next())
    look_at(*block, block->gpa(), 0, block->bytes_on_first_page());
  for (TranslationBlock* block = found->second.into; block != nullptr; block = block->SecondPageHook::next())
    look_at(*block, page, block->bytes_on_first_page(), block->guest_bytes - block->bytes_on_first_page());
  unsigned dropped = 0;
  for (TranslationBlock* block : hit) {
    if (!block->valid) continue;  // both of its pages are this one, and it is in the list twice
    ++epoch_;
    ++counters_.invalidated;
    ++dropped;
    drop(*block, why);
  }
  return dropped;
}

void BlockTable::invalidate(Gpa gpa, u32 length, DropReason why) {
  const Gpa page = align_down(gpa, Gpa{kPageSize});
  if (why != DropReason::code_written) {
    drop_touched(gpa, length, why);
    return;
  }
  if (!writes_.has(page) && by_page_.find(page) == by_page_.end()) return;
  note_written(gpa, length, drop_touched(gpa, length, why));
}

void BlockTable::note_written(Gpa gpa, u32 length, unsigned dropped) {
  const Gpa page = align_down(gpa, Gpa{kPageSize});
  CodeWrites::Page& written = writes_.slot(page);
  if (written.page != page) {
    if (written.held()) leave_slot(written);
    written = {};
    written.page = page;
    written.patience = CodeWrites::kPatience;
  } else if (dropped != 0) {
    written.patience = CodeWrites::kPatience;
  } else if (written.patience == 0) {
    return give_up(written);
  } else {
    --written.patience;
    // Of blocks that went otherwise the guards are still there.
    if (written.guards(static_cast<u32>(gpa - page), length)) guard(written);
    return;
  }
  if (by_page_.find(page) != by_page_.end()) return guard(written);
  written.clear_guards();
  written.patience = std::min(written.patience, CodeWrites::kEmptyPatience);
}

void BlockTable::guard(CodeWrites::Page& page, const TranslationBlock& block) {
  const u32 on_first = block.bytes_on_first_page();
  if (!block.one_page() && block.pages[1] == page.page) page.guard(0, block.guest_bytes - on_first);
  if (block.pages[0] != page.page) return;
  const u32 first = block.first_byte;
  if (block.source == nullptr) return page.guard(first, first + on_first);
  block.source->each_fixed([&](u32 from, u32 to) { page.guard(first + from, first + to); });
}

// What its blocks depend on, anew.
void BlockTable::guard(CodeWrites::Page& page) const {
  page.clear_guards();
  const auto found = by_page_.find(page.page);
  if (found == by_page_.end()) return;
  const PageBlocks& blocks = found->second;
  for (const auto* block = blocks.from; block != nullptr; block = block->PageHook::next())
    guard(page, *block);
  for (const auto* block = blocks.into; block != nullptr; block = block->SecondPageHook::next())
    guard(page, *block);
}

// Its slot is wanted for another page.
void BlockTable::leave_slot(CodeWrites::Page& page) {
  const Gpa left = page.page;
  page = {};
  if (by_page_.find(left) == by_page_.end()) physical_.remove_attribute(left, kAttrBtCode);
}

// Written to again and again where no block is: data, mostly. What is still executed comes back.
void BlockTable::give_up(CodeWrites::Page& page) {
  const Gpa given_up = page.page;
  page = {};
  if (drop_touched(given_up, kPageSize, DropReason::code_written) == 0)
    physical_.remove_attribute(given_up, kAttrBtCode);
}

}  // namespace ringshift::bt
