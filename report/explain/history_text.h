// A block's history in sentences.
#pragma once

#include <functional>
#include <string>

#include "translator/history/translation_recorder.h"

namespace ringshift {

// A place in words: "0010000c isPrime+0xc".
using PlaceName = std::function<std::string(u32 eip)>;

// "after 3 entries: ...".
std::string history_text(const bt::BlockRecord& block, const bt::HistoryEvent& event, const PlaceName& place);
// What the link does at the end, and when it is a side exit how often it was taken.
std::string exit_state(const bt::BlockRecord& block, std::size_t exit, const PlaceName& place);
// "taken", "not taken", "jump", ...
std::string ending_name(bt::EmissionReason ending);

}  // namespace ringshift
