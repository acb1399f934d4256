// Recording of blocks and of what becomes of them.
#include "translator/history/translation_recorder.h"

#include <algorithm>

namespace ringshift::bt {

u64 BlockRecord::passes() const {
  if (counters == nullptr) return 0;
  u64 passes = counters->entries * notes.rounds;
  for (unsigned round = 1; round < notes.rounds; ++round)
    passes -= counters->loop_exits[round - 1] * (notes.rounds - round);
  return passes;
}

u64 BlockRecord::executions_of(std::size_t instruction) const {
  u64 executions = passes();
  unsigned side_exit = 0;
  for (std::size_t before = 0; before < instruction; ++before) {
    const bool leaves = notes.instructions[before].decided.treatment == Treatment::jump_if;
    if (leaves) executions -= counters == nullptr ? 0 : counters->side_exits[side_exit++];
  }
  return executions;
}

u64 BlockRecord::instructions_executed() const {
  u64 sum = 0;
  for (std::size_t i = 0; i < notes.instructions.size(); ++i) sum += executions_of(i);
  return sum;
}

u64 BlockRecord::bytes() const {
  return sizeof *this + guest.size() + host.size() + notes.spans.size() * sizeof(EmissionSpan) +
         notes.instructions.size() * sizeof(InstructionNote) + notes.exits.size() * sizeof(ExitNote) +
         sites.size() * (sizeof(void*) + sizeof(SiteChange));
}

BlockCounters* TranslationRecorder::counters_of_next() {
  if (stopped_ || full()) return nullptr;
  // One whose block came to nothing is used again.
  if (counters_.size() == blocks_.size()) counters_.emplace_back();
  return &counters_.back();
}

void TranslationRecorder::on_translated(const GuestBlock& guest, const TranslationBlock& block,
                                        const EmissionNotes& notes) {
  if (full()) stopped_ = true;
  if (stopped_ || block.number != blocks_.size()) {
    ++left_out_;
    return;
  }
  BlockRecord& record = blocks_.emplace_back();
  record.number = block.number;
  record.eip = block.eip;
  record.linear = block.linear;
  record.page = block.pages[0];
  record.first_byte = block.first_byte;
  record.mode = block.mode;
  record.code_mode = guest.mode;
  record.relocatable = block.relocatable;
  record.global = block.global;
  for (std::size_t i = 0; i < block.instructions; ++i) {
    const Instruction& insn = guest.instructions[i].insn;
    record.guest.insert(record.guest.end(), insn.bytes, insn.bytes + insn.length);
  }
  record.code = block.code;
  record.host.assign(block.code, block.code + block.host_bytes);
  record.polled_entry = static_cast<u32>(block.polled_entry - block.code);
  record.entry = static_cast<u32>(block.entry - block.code);
  record.notes = notes;
  record.counters = counters_.size() == blocks_.size() ? &counters_.back() : nullptr;
  for (const InterpretSite& site : block.sites) {
    record.sites.push_back(&site);
    sites_[&site] = {block.number, site.eip - block.eip};
  }
  bytes_ += record.bytes();
}

void TranslationRecorder::note(BlockRecord& record, HistoryEvent event) {
  event.entries = record.counters == nullptr ? 0 : record.counters->entries;
  if (record.events.size() < kMostEvents) {
    record.events.push_back(event);
    bytes_ += sizeof event;
  } else {
    ++record.events_left_out;
  }
}

void TranslationRecorder::note_link(HistoryEvent::Kind kind, const Link& link, const TranslationBlock& target,
                                    u8 detail) {
  BlockRecord* const record = find(link.source->number);
  if (record == nullptr) return;
  const auto& exits = record->notes.exits;
  const auto exit =
      std::find_if(exits.begin(), exits.end(), [&](const ExitNote& note) { return note.link == &link; });
  if (exit == exits.end()) return;
  note(*record, {.kind = kind,
                 .detail = detail,
                 .exit = static_cast<u32>(exit - exits.begin()),
                 .other = target.number,
                 .other_eip = target.eip});
}

void TranslationRecorder::on_linked(const Link& link) {
  note_link(HistoryEvent::Kind::linked, link, *link.target, 0);
}

void TranslationRecorder::on_not_linkable(const Link& link, const TranslationBlock& target) {
  note_link(HistoryEvent::Kind::not_linkable, link, target, 0);
}

void TranslationRecorder::on_unlinked(const Link& link, UnlinkReason why) {
  note_link(HistoryEvent::Kind::unlinked, link, *link.target, static_cast<u8>(why));
}

void TranslationRecorder::on_dropped(const TranslationBlock& block, DropReason why) {
  BlockRecord* const record = find(block.number);
  if (record == nullptr) return;
  record->dropped = true;
  if (why == DropReason::retranslation)
    note(*record,
         {.kind = HistoryEvent::Kind::remedy,
          .guest_offset = static_cast<u32>(last_change_.instruction - record->page) - record->first_byte,
          .remedy = last_change_.remedy,
          .cause = last_change_.cause});
  note(*record, {.kind = HistoryEvent::Kind::dropped, .detail = static_cast<u8>(why)});
}

void TranslationRecorder::on_revived(const TranslationBlock& block) {
  BlockRecord* const record = find(block.number);
  if (record == nullptr) return;
  record->dropped = false;
  note(*record, {.kind = HistoryEvent::Kind::revived});
}

void TranslationRecorder::count_fault(BlockRecord& record, u32 guest_offset, BlockFault fault) {
  for (FaultCount& known : record.faults)
    if (known.guest_offset == guest_offset && known.fault == fault) return void(++known.count);
  record.faults.push_back({guest_offset, fault, 1});
}

void TranslationRecorder::on_fault(const TranslationBlock& block, u32 guest_offset, BlockFault fault) {
  if (BlockRecord* const record = find(block.number)) count_fault(*record, guest_offset, fault);
}

void TranslationRecorder::on_site_fault(const InterpretSite* site) {
  const auto found = sites_.find(site);
  if (found == sites_.end()) return;
  if (BlockRecord* const record = find(found->second.number))
    count_fault(*record, found->second.guest_offset, BlockFault::fault);
}

}  // namespace ringshift::bt
