// BlockSource: the guest bytes that a block was made of, for blocks on pages that the guest writes to.
#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/types.h"

namespace ringshift::bt {

// An operand in the code's own bytes that translated code reads there each time (translator/live_operands.h).
struct LiveOperand {
  u16 offset;  // in the block's guest bytes
  u16 bytes;
};

struct BlockSource {
  std::vector<u8> bytes;
  std::vector<LiveOperand> live;  // ascending
  u32 versions = 0;               // of other bytes that were translated here before

  // Whether the translation holds for these bytes, as many as its own.
  bool matches(const u8* now) const {
    u32 from = 0;
    for (const LiveOperand& operand : live) {
      if (std::memcmp(now + from, bytes.data() + from, operand.offset - from) != 0) return false;
      from = operand.offset + operand.bytes;
    }
    return std::memcmp(now + from, bytes.data() + from, bytes.size() - from) == 0;
  }
  // Calls visit(first, end) for each run of bytes that the translation depends on.
  template <class Visit>
  void each_fixed(const Visit& visit) const {
    u32 from = 0;
    for (const LiveOperand& operand : live) {
      if (from < operand.offset) visit(from, u32{operand.offset});
      from = operand.offset + operand.bytes;
    }
    if (from < bytes.size()) visit(from, static_cast<u32>(bytes.size()));
  }
  bool has_live(u32 offset) const {
    return std::any_of(live.begin(), live.end(),
                       [&](const LiveOperand& operand) { return operand.offset == offset; });
  }
  u64 side_bytes() const {
    return sizeof(BlockSource) + bytes.capacity() + live.capacity() * sizeof(LiveOperand);
  }
};

}  // namespace ringshift::bt
