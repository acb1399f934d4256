// TranslationRecorder: keeps, of each translated block, both sides of its code with the emitter's notes, its
// counters and its history, for `ringshift explain`.
//
// It has a bound, lest a guest make the monitor grow: what is translated when it is full isn't recorded.
#pragma once

#include <deque>
#include <unordered_map>

#include "translator/history/history_listener.h"

namespace ringshift::bt {

struct HistoryEvent {
  enum class Kind : u8 { linked, not_linkable, unlinked, remedy, dropped, revived };
  Kind kind;
  u8 detail = 0;         // UnlinkReason or DropReason
  u64 entries = 0;       // of the block, when it happened
  u32 exit = 0;          // which of BlockRecord::exits
  u32 other = 0;         // number of the block that it leads to, or led
  u32 other_eip = 0;     // of it
  u32 guest_offset = 0;  // for a remedy
  Remedy remedy = Remedy::none;
  RemedyCause cause = RemedyCause::window_failure;
};

struct FaultCount {
  u32 guest_offset;
  BlockFault fault;
  u64 count;
};

struct BlockRecord {
  u32 number;
  u32 eip;
  Gva linear;
  Gpa page;
  u16 first_byte;
  ModeKey mode;
  CodeMode code_mode;
  bool relocatable;
  bool global;
  std::vector<u8> guest;  // code bytes
  std::vector<u8> host;   // as emitted, before any link
  const u8* code;         // where it stood
  u32 polled_entry, entry;
  EmissionNotes notes;
  std::vector<const InterpretSite*> sites;  // to know their addresses in the code; not to be looked into
  const BlockCounters* counters;
  bool dropped = false;
  std::vector<HistoryEvent> events;
  u32 events_left_out = 0;
  std::vector<FaultCount> faults;

  // Of the instruction at this index, in all.
  u64 executions_of(std::size_t instruction) const;
  u64 instructions_executed() const;
  // Times that the block's code was gone through from the start: rounds, of a tight loop.
  u64 passes() const;
  u64 bytes() const;
};

class TranslationRecorder final : public HistoryListener {
 public:
  static constexpr std::size_t kMostBlocks = std::size_t{1} << 18;
  static constexpr u64 kMostBytes = u64{256} << 20;
  static constexpr std::size_t kMostEvents = 48;  // of a block

  explicit TranslationRecorder(std::size_t most_blocks = kMostBlocks, u64 most_bytes = kMostBytes)
      : most_blocks_(most_blocks), most_bytes_(most_bytes) {}
  TranslationRecorder(const TranslationRecorder&) = delete;

  // In the order of translation.
  const std::deque<BlockRecord>& blocks() const { return blocks_; }
  u64 left_out() const { return left_out_; }
  const RuntimeStubs& stubs() const { return stubs_; }

  void on_stubs(const RuntimeStubs& stubs) override { stubs_ = stubs; }
  BlockCounters* counters_of_next() override;
  void on_translated(const GuestBlock& guest, const TranslationBlock& block,
                     const EmissionNotes& notes) override;
  void on_linked(const Link& link) override;
  void on_not_linkable(const Link& link, const TranslationBlock& target) override;
  void on_unlinked(const Link& link, UnlinkReason why) override;
  void on_dropped(const TranslationBlock& block, DropReason why) override;
  void on_revived(const TranslationBlock& block) override;
  void on_remedy(const SiteChange& change) override { last_change_ = change; }
  void on_fault(const TranslationBlock& block, u32 guest_offset, BlockFault fault) override;
  void on_site_fault(const InterpretSite* site) override;

 private:
  bool full() const { return blocks_.size() >= most_blocks_ || bytes_ >= most_bytes_; }
  BlockRecord* find(u32 number) { return number < blocks_.size() ? &blocks_[number] : nullptr; }
  void note(BlockRecord& record, HistoryEvent event);
  void note_link(HistoryEvent::Kind kind, const Link& link, const TranslationBlock& target, u8 detail);
  static void count_fault(BlockRecord& record, u32 guest_offset, BlockFault fault);

  std::size_t most_blocks_;
  u64 most_bytes_;
  RuntimeStubs stubs_;
  std::deque<BlockCounters> counters_;  // code holds their addresses
  std::deque<BlockRecord> blocks_;      // by number
  struct SitePlace {
    u32 number;
    u32 guest_offset;
  };
  std::unordered_map<const InterpretSite*, SitePlace> sites_;
  SiteChange last_change_{kNoPage, Remedy::none, RemedyCause::window_failure};
  bool stopped_ = false;  // it was full once: numbers wouldn't fit any more
  u64 bytes_ = 0;
  u64 left_out_ = 0;
};

}  // namespace ringshift::bt
