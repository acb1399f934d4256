// KeptBlocks: blocks that a write has dropped: found again if their bytes come back.
//
// They take no memory of their own: a dropped block's code stays until its part of the cache is reused, and
// so does what belongs to it. Each list is short, so that a guest that writes ever new code makes no search
// long.
#pragma once

#include <vector>

#include "translator/translation_block.h"

namespace ringshift::bt {

class KeptBlocks {
 public:
  // A block that is in no table any more, and has its source.
  void keep(TranslationBlock& block);
  // One whose translation holds for the bytes that stand at gpa now (`bytes`, to the page's end), entered at
  // eip, in a page mapped as `global` says; it is out of here then. Null: none.
  TranslationBlock* take(u32 eip, Gpa gpa, ModeKey mode, bool global, const u8* bytes);
  // The one that was dropped last of those that began here; null: none.
  const TranslationBlock* newest(Gpa gpa, ModeKey mode) const;
  void clear();

 private:
  static constexpr unsigned kBuckets = 1u << 12, kMostInBucket = 16;
  static unsigned bucket(Gpa gpa, ModeKey mode) {
    return static_cast<unsigned>(BlockIdentity::hash_of(gpa, mode) % kBuckets);
  }
  std::vector<TranslationBlock*> buckets_ = std::vector<TranslationBlock*>(kBuckets);
};

}  // namespace ringshift::bt
