// Keeping dropped blocks, and finding them by their bytes.
#include "translator/kept_blocks.h"

#include <algorithm>

namespace ringshift::bt {

void KeptBlocks::keep(TranslationBlock& block) {
  TranslationBlock*& head = buckets_[bucket(block.gpa(), block.mode)];
  block.BucketHook::enter(head);
  unsigned count = 0;
  for (TranslationBlock* at = head; at != nullptr; at = at->BucketHook::next())
    if (++count > kMostInBucket) return at->BucketHook::leave();
}

TranslationBlock* KeptBlocks::take(u32 eip, Gpa gpa, ModeKey mode, bool global, const u8* bytes) {
  const u32 to_end = kPageSize - static_cast<u32>(gpa & kPageOffsetMask);
  TranslationBlock* block = buckets_[bucket(gpa, mode)];
  for (; block != nullptr; block = block->BucketHook::next()) {
    if (block->gpa() != gpa || block->mode != mode || !block->stands_at(eip) || block->global != global)
      continue;
    if (block->guest_bytes > to_end || !block->source->matches(bytes)) continue;
    block->BucketHook::leave();
    return block;
  }
  return nullptr;
}

const TranslationBlock* KeptBlocks::newest(Gpa gpa, ModeKey mode) const {
  const TranslationBlock* block = buckets_[bucket(gpa, mode)];
  for (; block != nullptr; block = block->BucketHook::next())
    if (block->gpa() == gpa && block->mode == mode) return block;
  return nullptr;
}

void KeptBlocks::clear() { std::fill(buckets_.begin(), buckets_.end(), nullptr); }

}  // namespace ringshift::bt
