// BlockTable: all translated blocks: found by where they start, dropped when their code is written.
#pragma once

#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/zeroed_array.h"
#include "memory/physical_map.h"
#include "translator/bt_context.h"
#include "translator/code_cache.h"
#include "translator/code_pages.h"
#include "translator/code_writes.h"
#include "translator/history/history_listener.h"
#include "translator/kept_blocks.h"
#include "translator/translation_block.h"

namespace ringshift::bt {

class BlockTable {
 public:
  BlockTable(PhysicalMap& physical, CodeCache& cache, JumpEntry* jump_table);

  // The valid block for this place and mode; gpa is of its first byte. The caller compares pages[1] if it has
  // one.
  TranslationBlock* find(u32 eip, Gpa gpa, ModeKey mode) const;
  TranslationBlock* insert(std::unique_ptr<TranslationBlock> block);
  // A block that a write dropped, back in the tables because its bytes stand at gpa again; entered at eip,
  // CS's base added: linear, in a page mapped as `global` says. Null: there is none.
  TranslationBlock* revive(u32 eip, Gva linear, Gpa gpa, ModeKey mode, bool global);
  // Of the blocks that began here and were dropped by a write, the latest; null: none is known.
  const TranslationBlock* last_version(Gpa gpa, ModeKey mode) const { return kept_.newest(gpa, mode); }
  // Whether a block of `bytes` can be made; else make_room() evicts the oldest blocks, a batch of them, so
  // that it is seldom called. What was found before may be gone then.
  bool has_room(u64 bytes) const { return cache_.free_bytes() >= bytes && side_bytes_ <= side_limit(); }
  void make_room(u64 bytes);

  void link(Link& link, TranslationBlock& target);
  void unlink(Link& link, UnlinkReason why);
  // For a target that no fixed link may lead to: the branch goes through the jump table from now on.
  void make_lookup(Link& link);
  // Cuts the links between pages that hold only while the mapping does; INVLPG and flushes.
  void cut_cross_page_links();

  // Whether code of this page has been met at a second linear address: then it is made relocatable from now
  // on, and its blocks for the first address are dropped. Forgotten with the last block of the page.
  bool roams(Gpa page, Gva linear);

  // Drops the blocks that depend on bytes in [gpa, gpa + length), within one page: what is written there, or
  // has been. Those with their source may come back.
  void invalidate(Gpa gpa, u32 length, DropReason why);
  // Which stores to pages of blocks need no invalidate().
  CodeWrites& writes() { return writes_; }
  const CodeWrites& writes() const { return writes_; }
  // Forgets everything.
  void clear();

  // The block whose code holds this executable address, valid or not; null if none.
  const TranslationBlock* containing(const u8* pc) const;
  // Notes that a block, of global pages or not, may be entered at this linear address (insert does it for its
  // own).
  void note_code_at(Gva gva, bool global) { (global ? global_code_ : local_code_).note(gva); }
  // Whether any such block ever started on this linear page (neither: INVLPG needs nothing).
  bool has_global_code_at(Gva gva) const { return global_code_.has(gva); }
  bool has_local_code_at(Gva gva) const { return local_code_.has(gva); }

  // Hears of links and drops; null: nobody does.
  void set_listener(HistoryListener* listener) { listener_ = listener; }

  std::size_t size() const { return blocks_.size(); }
  // What they all cost beside their code.
  u64 side_bytes() const { return side_bytes_; }
  // Counts up whenever blocks are dropped: what was found before may be gone.
  u64 epoch() const { return epoch_; }
  struct Counters {
    u64 links = 0, links_cut = 0, invalidated = 0, revived = 0, evictions = 0, evicted = 0, laps = 0;
  };
  const Counters& counters() const { return counters_; }

 private:
  static constexpr unsigned kBuckets = 1u << 16;
  static unsigned bucket(Gpa gpa, ModeKey mode) {
    return static_cast<unsigned>(BlockIdentity::hash_of(gpa, mode));
  }
  // linear: where it is met now.
  void enter_tables(TranslationBlock& block, Gva linear);
  void drop(TranslationBlock& block, DropReason why);
  unsigned drop_touched(Gpa gpa, u32 length, DropReason why);
  // --- pages that are written to (block_writes.cpp)
  // After a write to a page of blocks that has dropped so many.
  void note_written(Gpa gpa, u32 length, unsigned dropped);
  static void guard(CodeWrites::Page& page, const TranslationBlock& block);
  void guard(CodeWrites::Page& page) const;
  void leave_slot(CodeWrites::Page& page);
  void give_up(CodeWrites::Page& page);
  void forget_jumps_to(const TranslationBlock& block);
  void forget_page_without_blocks(Gpa page);
  // Marks, sites and links of a Linux guest's blocks take some 2.3 times as much as their code.
  u64 side_limit() const { return 3 * cache_.ring_bytes(); }
  void start_lap();
  void evict_oldest();

  PhysicalMap& physical_;
  CodeCache& cache_;
  JumpEntry* jump_table_;
  // In the order of their making. The cache is a ring: the first `before_` were made before it last began
  // anew, and stand at higher addresses than all the others. Within each part addresses ascend.
  std::deque<std::unique_ptr<TranslationBlock>> blocks_;
  std::size_t before_ = 0;
  u64 side_bytes_ = 0;  // of all blocks
  ZeroedArray<TranslationBlock*> buckets_;
  struct PageBlocks {
    TranslationBlock* from = nullptr;  // blocks that start on the page
    TranslationBlock* into = nullptr;  // blocks that end on it, their second
    Gva met_at = 0;                    // the linear page of the last one made
    bool roams = false;
  };
  std::unordered_map<Gpa, PageBlocks> by_page_;
  KeptBlocks kept_;
  CodeWrites writes_;
  std::vector<Link*> cross_page_links_;
  CodePages global_code_, local_code_;
  HistoryListener* listener_ = nullptr;
  u64 epoch_ = 0;
  Counters counters_;
};

}  // namespace ringshift::bt
