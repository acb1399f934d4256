// Events of a block as people read them.
#include "report/explain/history_text.h"

#include <fmt/format.h>

namespace ringshift {

namespace {

using Kind = bt::HistoryEvent::Kind;
using Reason = bt::EmissionReason;

std::string what_happened(const bt::BlockRecord& block, const bt::HistoryEvent& event,
                          const PlaceName& place) {
  const auto exit = [&] {
    return fmt::format("exit{} ({})", event.exit + 1, ending_name(block.notes.exits[event.exit].ending));
  };
  switch (event.kind) {
    case Kind::linked:
      return fmt::format("{} linked to block #{} at {}", exit(), event.other, place(event.other_eip));
    case Kind::not_linkable:
      return fmt::format("{} goes through the jump table from now on: block #{} at {} may not be linked to",
                         exit(), event.other, place(event.other_eip));
    case Kind::unlinked:
      return fmt::format("{} unlinked from block #{}: {}", exit(), event.other,
                         name_of(static_cast<bt::UnlinkReason>(event.detail)));
    case Kind::remedy:
      return fmt::format("{} gets {}: {}", place(block.eip + event.guest_offset), name_of(event.remedy),
                         name_of(event.cause));
    case Kind::revived:
      return "used again: its bytes are back";
    case Kind::dropped:
      break;
  }
  return fmt::format("dropped: {}", name_of(static_cast<bt::DropReason>(event.detail)));
}

}  // namespace

std::string ending_name(Reason ending) {
  switch (ending) {
    case Reason::jump:
      return "jump";
    case Reason::call:
      return "call";
    case Reason::taken:
      return "taken";
    case Reason::not_taken:
      return "not taken";
    case Reason::side_exit:
      return "side exit";
    default:
      return "next block";
  }
}

std::string history_text(const bt::BlockRecord& block, const bt::HistoryEvent& event,
                         const PlaceName& place) {
  return fmt::format("after {} {}: {}", event.entries, event.entries == 1 ? "entry" : "entries",
                     what_happened(block, event, place));
}

std::string exit_state(const bt::BlockRecord& block, std::size_t exit, const PlaceName& place) {
  if (!block.notes.exits[exit].linkable)
    return "through the jump table: the target's page may be mapped elsewhere";
  std::string state = "never went there";
  for (const bt::HistoryEvent& event : block.events) {
    if (event.exit != exit) continue;
    if (event.kind == Kind::linked)
      state = fmt::format("linked to block #{} at {}", event.other, place(event.other_eip));
    else if (event.kind == Kind::not_linkable)
      state = "through the jump table";
    else if (event.kind == Kind::unlinked)
      state = "unlinked again";
  }
  return state;
}

}  // namespace ringshift
