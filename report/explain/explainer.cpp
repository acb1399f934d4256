// Choosing the hottest places, and putting their blocks into words.
#include "report/explain/explainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "report/explain/history_text.h"
#include "report/explain/host_listing.h"
#include "translator/listing.h"

namespace ringshift {

namespace {

using bt::BlockRecord;
using bt::EmissionReason;

// All translations of guest code at one place in one mode.
struct Place {
  std::vector<const BlockRecord*> translations;
  u64 instructions = 0;

  const BlockRecord& busiest() const {
    return **std::max_element(translations.begin(), translations.end(), [](const auto* a, const auto* b) {
      return a->instructions_executed() < b->instructions_executed();
    });
  }
};

std::vector<Place> group(const bt::TranslationRecorder& record) {
  using Key = std::tuple<Gpa, u64, u32>;
  std::map<Key, Place> places;
  for (const BlockRecord& block : record.blocks()) {
    const Key key{block.page + block.first_byte, block.mode.hash(), block.relocatable ? 0 : block.eip};
    Place& place = places[key];
    place.translations.push_back(&block);
    place.instructions += block.instructions_executed();
  }
  std::vector<Place> list;
  list.reserve(places.size());
  for (auto& [key, place] : places) list.push_back(std::move(place));
  return list;
}

bool wanted(const Place& place, const BlockSelection& selection) {
  if (!selection.range) return true;
  return std::any_of(place.translations.begin(), place.translations.end(), [&](const BlockRecord* block) {
    return block->eip < selection.range->high && block->eip + block->guest.size() > selection.range->low;
  });
}

class BlockExplainer {
 public:
  BlockExplainer(const Place& place, const bt::RuntimeStubs& stubs, const SymbolTable& symbols)
      : place_(place), block_(place.busiest()), symbols_(symbols), host_(block_, stubs) {}

  ExplainedBlock run() {
    describe();
    add_instructions();
    add_code();
    add_exits();
    for (const BlockRecord* const translation : place_.translations) add_translation(*translation);
    return std::move(out_);
  }

 private:
  std::string name_of_place(u32 eip) const {
    const std::string symbol = symbols_.describe(eip);
    return symbol.empty() ? fmt::format("{:08x}", eip) : fmt::format("{:08x} {}", eip, symbol);
  }
  PlaceName place_name() const {
    return [this](u32 eip) { return name_of_place(eip); };
  }

  void describe() {
    out_.eip = block_.eip;
    out_.name = symbols_.describe(block_.eip);
    out_.mode = bt::describe(block_.mode);
    out_.relocatable = block_.relocatable;
    out_.global = block_.global;
    out_.rounds = block_.notes.rounds;
    out_.guest_bytes = static_cast<u32>(block_.guest.size());
    out_.host_bytes = block_.notes.cold_offset;
    out_.cold_bytes = static_cast<u32>(block_.host.size()) - block_.notes.cold_offset;
    out_.entries = block_.counters == nullptr ? 0 : block_.counters->entries;
    out_.passes = block_.passes();
    out_.instructions_executed = place_.instructions;
    out_.shown = block_.number;
  }

  void add_instructions() {
    const bt::GuestDisassembler guest(block_.code_mode);
    const auto& notes = block_.notes.instructions;
    for (std::size_t i = 0; i < notes.size(); ++i) {
      const std::size_t begin = notes[i].guest_offset;
      const std::size_t end = i + 1 < notes.size() ? notes[i + 1].guest_offset : block_.guest.size();
      ExplainedInstruction insn{.eip = block_.eip + static_cast<u32>(begin),
                                .bytes = bt::hex_bytes(block_.guest.data() + begin, end - begin),
                                .decided = notes[i].decided,
                                .executions = block_.executions_of(i),
                                .identity = true};
      insn.bytes.pop_back();
      insn.text = guest.line({block_.guest.data() + begin, end - begin}, insn.eip).text;
      for (const bt::FaultCount& fault : block_.faults)
        if (fault.guest_offset == begin)
          insn.faults.push_back({std::string(name_of(fault.fault)), fault.count});
      out_.instructions.push_back(std::move(insn));
    }
  }

  ExplainedInstruction* instruction_at(u32 guest_offset) {
    for (ExplainedInstruction& insn : out_.instructions)
      if (insn.eip == block_.eip + guest_offset) return &insn;
    return nullptr;
  }

  // A tight loop's rounds are the same but for their exits: the last one is shown, and one of the others'
  // exits.
  void add_code() {
    const auto& spans = block_.notes.spans;
    const unsigned last = block_.notes.rounds - 1;
    for (std::size_t i = 0; i < spans.size(); ++i) {
      const bt::EmissionSpan& span = spans[i];
      const bool cold = span.host_offset >= block_.notes.cold_offset;
      ExplainedInstruction* const owner = instruction_at(span.guest_offset);
      if (span.reason == EmissionReason::profile || span.reason == EmissionReason::cold_loop_exit) {
        const u32 end =
            i + 1 < spans.size() ? spans[i + 1].host_offset : static_cast<u32>(block_.host.size());
        (cold ? out_.cold_bytes : out_.host_bytes) -= end - span.host_offset;
      }
      const bool exit_of_round = span.reason == EmissionReason::loop_exit && span.round == 0;
      if (owner != nullptr && !cold && span.round != last && !exit_of_round) continue;
      CodePart part{span.reason, exit_of_round ? last : 1, host_.lines(i)};
      if (owner == nullptr) {
        (cold ? out_.tail : out_.head).push_back(std::move(part));
        continue;
      }
      owner->identity = owner->identity && (cold || is_identity(span.reason));
      (cold ? owner->cold : owner->code).push_back(std::move(part));
    }
  }

  void add_exits() {
    const auto& exits = block_.notes.exits;
    unsigned side_exits = 0;
    for (std::size_t i = 0; i < exits.size(); ++i) {
      ExplainedExit exit{.ending = ending_name(exits[i].ending),
                         .from_eip = block_.eip + exits[i].guest_offset,
                         .target_eip = exits[i].target_eip,
                         .target = symbols_.describe(exits[i].target_eip),
                         .state = exit_state(block_, i, place_name())};
      if (exits[i].ending == EmissionReason::side_exit && block_.counters != nullptr)
        exit.taken = block_.counters->side_exits[side_exits++];
      out_.exits.push_back(std::move(exit));
    }
  }

  void add_translation(const BlockRecord& block) {
    ExplainedTranslation translation{.number = block.number,
                                     .entries = block.counters == nullptr ? 0 : block.counters->entries,
                                     .instructions = block.instructions_executed(),
                                     .dropped = block.dropped,
                                     .left_out = block.events_left_out};
    for (const bt::HistoryEvent& event : block.events)
      translation.history.push_back(history_text(block, event, place_name()));
    out_.translations.push_back(std::move(translation));
  }

  const Place& place_;
  const BlockRecord& block_;
  const SymbolTable& symbols_;
  HostListing host_;
  ExplainedBlock out_{};
};

}  // namespace

Explanation explain(const bt::TranslationRecorder& record, const SymbolTable& symbols,
                    const BlockSelection& selection) {
  Explanation out;
  out.translations = record.blocks().size() + record.left_out();
  out.left_out = record.left_out();
  std::vector<Place> places = group(record);
  for (const Place& place : places) out.instructions += place.instructions;
  std::erase_if(places, [&](const Place& place) { return !wanted(place, selection); });
  out.places = places.size();
  std::stable_sort(places.begin(), places.end(),
                   [](const Place& a, const Place& b) { return a.instructions > b.instructions; });
  if (places.size() > selection.top) places.resize(selection.top);
  for (const Place& place : places) {
    ExplainedBlock block = BlockExplainer(place, record.stubs(), symbols).run();
    if (out.instructions != 0)
      block.share = static_cast<double>(place.instructions) / static_cast<double>(out.instructions);
    out.blocks.push_back(std::move(block));
  }
  return out;
}

}  // namespace ringshift
