// Profiles: what leaves an engine's fast path, how often, and what it costs; from runs with -stats.
//
// Counting slows a run, so these are apart from the timed ones. Each row is run alone too: what its exits
// are, less those of a run without rows, says what the row's operation causes; and where most of a row's
// exits are of one kind, the row's time over their number bounds the cost of one from above.
#pragma once

#include <map>
#include <optional>

#include "report/comparison.h"

namespace ringshift {

using ExitCounts = std::map<std::string, u64>;

// What -stats json calls exits: all of a group "exits", and what begins with "exits: " elsewhere. A reason
// "A: B" is a part of "A": the parts stand, and what is left of the whole.
ExitCounts exits_in(const nlohmann::ordered_json& stats);

// One run of a row with -stats.
struct RowProfile {
  std::string row;
  ExitCounts exits;
  double vcpu_s = 0;
  double ns = 0;  // the row's own minimum then
};

// without: a run of no row.
void cost_exits(Profile& profile, const RowProfile& without, const std::vector<RowProfile>& rows);

// What the engine's time went to, as far as it is known: translation, exits of known cost, and the rest. The
// costs of exits are bounds from above; where their sum is more than there is, they are scaled down to it.
struct TimePart {
  std::string part;
  double seconds;
};
std::vector<TimePart> time_parts(const Profile& profile);

// Outer nullopt: interrupted; inner: the engine gave no statistics.
std::optional<std::optional<Profile>> make_profile(const ModeResult& result, const Comparison& comparison,
                                                   double timeout_s, int interrupt_fd);

}  // namespace ringshift
