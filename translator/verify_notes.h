// BlockNotes: of each translated block, the guest's code as it was translated, and where its instructions
// begin.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "translator/listing.h"

namespace ringshift::bt {

struct BlockNote {
  u32 eip;
  std::vector<u8> code;
  std::vector<u16> offsets;  // of the guest's instructions, and of the end
  std::vector<InstructionStart> starts;
  u32 host_bytes;
  unsigned rounds;  // how many times over a tight loop was emitted; 1 for others
  bool fpu;         // any of them may use x87, MMX or SSE state

  // Which instruction begins at this address, counted from 0; at the block's end, their count.
  std::optional<unsigned> index_of(u32 address) const;
  // Whether the instruction at this address is a string instruction with a repeat prefix.
  bool repeats(u32 address) const;
};

class BlockNotes final : public TranslationObserver {
 public:
  void on_translated(const GuestBlock& guest, const TranslationBlock& block,
                     std::span<const InstructionStart> starts) override;
  const BlockNote& of(const TranslationBlock& block) const { return notes_.at(block.code); }

 private:
  // By host address: what is made where others stood replaces them, so that there is no more of them than the
  // code cache holds.
  std::map<const u8*, BlockNote> notes_;
};

// Both sides of the block, as -d in_asm and out_asm print them.
std::string list(const TranslationBlock& block, const BlockNote& note, const Decoder& decoder);

}  // namespace ringshift::bt
