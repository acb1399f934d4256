// BlockTranslator: from a GuestBlock to host code in the cache.
#pragma once

#include <memory>

#include "translator/emitter.h"
#include "translator/guest_block.h"

namespace ringshift::bt {

struct TranslationCounters {
  u64 blocks = 0;
  u64 guest_instructions = 0;
  u64 guest_bytes = 0;
  u64 host_bytes = 0;
};

class BlockTranslator {
 public:
  BlockTranslator(CodeCache& cache, const RuntimeStubs& stubs) : cache_(cache), stubs_(stubs) {}

  // Fills a block for guest code that isn't empty. Null if the cache has no room: flush it and try again.
  std::unique_ptr<TranslationBlock> translate(const GuestBlock& guest, ModeKey mode);
  const TranslationCounters& counters() const { return counters_; }

 private:
  CodeCache& cache_;
  const RuntimeStubs& stubs_;
  TranslationCounters counters_;
  std::vector<u8> buffer_;
};

}  // namespace ringshift::bt
