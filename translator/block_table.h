// BlockTable: all translated blocks: found by where they start, dropped when their code is written.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "memory/physical_map.h"
#include "translator/bt_context.h"
#include "translator/code_cache.h"
#include "translator/translation_block.h"

namespace ringshift::bt {

class BlockTable {
 public:
  BlockTable(PhysicalMap& physical, CodeCache& cache, JumpEntry* jump_table);

  // The valid block for this place and mode; the caller compares pages[1] if it has one.
  TranslationBlock* find(u32 eip, Gpa page, ModeKey mode) const;
  TranslationBlock* insert(std::unique_ptr<TranslationBlock> block);

  void link(Link& link, TranslationBlock& target);
  void unlink(Link& link);
  // For a target that no fixed link may lead to: the branch goes through the jump table from now on.
  void make_lookup(Link& link);
  // Cuts the links between pages that hold only while the mapping does; INVLPG and flushes.
  void cut_cross_page_links();

  // Drops the blocks with bytes in [gpa, gpa + length), within one page.
  void invalidate(Gpa gpa, u32 length);
  // Forgets everything; the cache's memory is the caller's to reset.
  void clear();

  // The block whose code holds this executable address, valid or not; null if none.
  const TranslationBlock* containing(const u8* pc) const;
  // Whether any block ever started on this linear page (false: INVLPG needs nothing).
  bool has_code_at(Gva gva) const { return (code_pages_[gva >> 17] >> ((gva >> kPageShift) & 31)) & 1; }

  std::size_t size() const { return blocks_.size(); }
  // Counts up whenever blocks are dropped: what was found before may be gone.
  u64 epoch() const { return epoch_; }
  struct Counters {
    u64 links = 0, links_cut = 0, invalidated = 0;
  };
  const Counters& counters() const { return counters_; }

 private:
  static constexpr unsigned kBuckets = 1u << 16;
  static unsigned bucket(u32 eip, Gpa page, ModeKey mode);
  void drop(TranslationBlock& block);
  void remove_from_page(Gpa page, TranslationBlock& block);

  PhysicalMap& physical_;
  CodeCache& cache_;
  JumpEntry* jump_table_;
  std::vector<std::unique_ptr<TranslationBlock>> blocks_;  // in the order of their code
  std::vector<std::vector<TranslationBlock*>> buckets_;
  std::unordered_map<Gpa, std::vector<TranslationBlock*>> by_page_;
  std::vector<Link*> cross_page_links_;
  std::vector<u32> code_pages_;  // a bit for each linear page
  u64 epoch_ = 0;
  Counters counters_;
};

}  // namespace ringshift::bt
