// Runs with -stats, and what follows from them.
#include "report/profile.h"

#include <fmt/core.h>

#include <algorithm>
#include <fstream>

#include "report/child_process.h"
#include "report/guest_log.h"
#include "report/iso_image.h"

namespace ringshift {

namespace {
using Json = nlohmann::ordered_json;

double number_at(const Json& stats, const char* group, const char* name) {
  if (!stats.is_object() || !stats.contains(group) || !stats[group].is_object()) return 0;
  const auto found = stats[group].find(name);
  return found != stats[group].end() && found->is_number() ? found->get<double>() : 0;
}

// From the histogram's buckets "below N ns", each of which spans from half of N to N.
std::optional<double> translation_seconds(const Json& stats) {
  constexpr const char* kGroup = "pauses: translation";
  if (!stats.is_object() || !stats.contains(kGroup)) return std::nullopt;
  double ns = 0;
  for (const auto& [name, count] : stats[kGroup].items()) {
    unsigned long long bound = 0;
    if (std::sscanf(name.c_str(), "below %llu ns", &bound) == 1 && count.is_number())
      ns += 0.75 * static_cast<double>(bound) * count.get<double>();
  }
  return ns * 1e-9;
}

ExitCounts leaves_of(ExitCounts counts) {
  ExitCounts leaves;
  for (const auto& [reason, count] : counts) {
    u64 parts = 0;
    for (const auto& [other, part] : counts)
      if (other.starts_with(reason + ": ")) parts += part;
    if (parts == 0)
      leaves[reason] = count;
    else if (count > parts)
      leaves[reason + ": other"] = count - parts;
  }
  std::erase_if(leaves, [](const auto& entry) { return entry.second == 0; });
  return leaves;
}

struct StatsRun {
  ChildOutcome outcome;
  Json stats;
  GuestLog log;
};

class StatsRuns {
 public:
  StatsRuns(const ModeResult& result, const TemporaryFolder& folder, double timeout_s, int interrupt_fd)
      : result_(result), file_(folder.path() + "/stats.json"), timeout_s_(timeout_s), fd_(interrupt_fd) {}

  // options: added to the guest's own.
  StatsRun run(const std::string& options) const {
    std::vector<std::string> command = result_.mode.command;
    const auto append = std::find(command.begin(), command.end(), "-append");
    if (append != command.end() && append + 1 != command.end() && !options.empty())
      *(append + 1) += " " + options;
    command.insert(command.end(), {"-stats", "json:" + file_});
    StatsRun done;
    done.outcome = run_child({.command = command, .timeout_s = timeout_s_, .interrupt_fd = fd_});
    done.log = parse_guest_log(done.outcome.serial);
    std::ifstream file(file_);
    done.stats = Json::parse(file, nullptr, false);
    if (done.stats.is_discarded()) done.stats = nullptr;
    std::remove(file_.c_str());
    return done;
  }

 private:
  const ModeResult& result_;
  std::string file_;
  double timeout_s_;
  int fd_;
};

RowProfile row_profile(const std::string& row, const StatsRun& run) {
  RowProfile profile{.row = row, .exits = exits_in(run.stats)};
  profile.vcpu_s = number_at(run.stats, "time", "vcpu thread cpu_s");
  if (const LogRow* found = run.log.find(row); found != nullptr && found->minimum_ns)
    profile.ns = *found->minimum_ns;  // of a sample that nothing interrupted, as CPU time is
  return profile;
}

u64 count_in(const ExitCounts& counts, const std::string& reason) {
  const auto found = counts.find(reason);
  return found == counts.end() ? 0 : found->second;
}

// Long enough that the row's time stands out of what a run's start takes, which varies on a busy machine.
constexpr const char* kRowOptions = "ms=150 rows=";

// A run of no row: of three the most exits of each kind and the least time, so that costs stay bounds from
// above. Nothing: interrupted.
std::optional<RowProfile> profile_without_rows(const StatsRuns& runs) {
  RowProfile without{.row = "none"};
  for (int i = 0; i < 3; ++i) {
    const StatsRun none = runs.run(std::string(kRowOptions) + "none");
    if (none.outcome.kind == ChildOutcome::Kind::interrupted) return std::nullopt;
    const RowProfile one = row_profile("none", none);
    without.vcpu_s = i == 0 ? one.vcpu_s : std::min(without.vcpu_s, one.vcpu_s);
    for (const auto& [reason, count] : one.exits)
      without.exits[reason] = std::max(without.exits[reason], count);
  }
  return without;
}

// What a row adds to a run of none. A guest that waits for a clock as it starts polls as often as the machine
// lets it, so a little more than in the run of none says nothing.
RowProfile difference(const RowProfile& with, const RowProfile& without) {
  RowProfile added{.row = with.row, .exits = {}, .vcpu_s = with.vcpu_s - without.vcpu_s, .ns = with.ns};
  for (const auto& [reason, count] : with.exits)
    if (const u64 before = count_in(without.exits, reason); count > before + before / 2)
      added.exits[reason] = count - before;
  return added;
}
}  // namespace

ExitCounts exits_in(const Json& stats) {
  constexpr std::string_view kPrefix = "exits: ";
  ExitCounts counts;
  if (!stats.is_object()) return counts;
  for (const auto& [group, lines] : stats.items()) {
    if (!lines.is_object()) continue;
    for (const auto& [name, value] : lines.items()) {
      if (!value.is_number_unsigned()) continue;
      if (group == "exits")
        counts[name] += value.get<u64>();
      else if (name.starts_with(kPrefix))
        counts[name.substr(kPrefix.size())] += value.get<u64>();
    }
  }
  return leaves_of(std::move(counts));
}

void cost_exits(Profile& profile, const RowProfile& without, const std::vector<RowProfile>& rows) {
  constexpr double kMost = 0.5, kLeastPerOperation = 0.01;
  constexpr u64 kEnough = 1000;
  std::map<std::string, ExitCost> costs;
  for (const auto& exit : profile.exits) costs[exit.reason] = exit;
  for (const RowProfile& row : rows) {
    const RowProfile added = difference(row, without);
    if (added.vcpu_s <= 0) continue;
    u64 all = 0;
    for (const auto& [reason, count] : added.exits) all += count;
    for (const auto& [reason, count] : added.exits) {
      const double ns = added.vcpu_s * 1e9 / static_cast<double>(count);
      if (const double each = row.ns / ns; row.ns > 0 && each >= kLeastPerOperation)
        profile.rows[row.row][reason] = each;
      ExitCost& cost = costs[reason];
      cost.reason = reason;
      const bool about_it =
          count >= kEnough && static_cast<double>(count) >= kMost * static_cast<double>(all);
      if (!about_it || (cost.most_ns && *cost.most_ns <= ns)) continue;
      cost.most_ns = ns;
      cost.measured_in = row.row;
    }
  }
  profile.exits.clear();
  for (auto& [reason, cost] : costs) profile.exits.push_back(std::move(cost));
  std::stable_sort(profile.exits.begin(), profile.exits.end(),
                   [](const ExitCost& a, const ExitCost& b) { return a.count > b.count; });
}

std::vector<TimePart> time_parts(const Profile& profile) {
  constexpr std::size_t kMostExits = 4;
  std::vector<TimePart> exits;
  for (const ExitCost& exit : profile.exits)
    if (exit.most_ns)
      exits.push_back({"exits: " + exit.reason, static_cast<double>(exit.count) * *exit.most_ns * 1e-9});
  std::stable_sort(exits.begin(), exits.end(),
                   [](const TimePart& a, const TimePart& b) { return a.seconds > b.seconds; });
  for (; exits.size() > kMostExits; exits.pop_back()) {
    TimePart& last_kept = exits[exits.size() - 2];
    last_kept = {"exits: others", last_kept.seconds + exits.back().seconds};
  }
  const double translation = profile.translation_s.value_or(0);
  double sum = 0;
  for (const TimePart& part : exits) sum += part.seconds;
  const double room = std::max(0.0, profile.vcpu_s - translation);
  if (sum > room)
    for (TimePart& part : exits) part.seconds *= room / sum;
  std::vector<TimePart> parts;
  if (profile.translation_s) parts.push_back({"translation", translation});
  parts.insert(parts.end(), exits.begin(), exits.end());
  parts.push_back({"the guest's code, and all else", std::max(0.0, room - sum)});
  return parts;
}

std::optional<std::optional<Profile>> make_profile(const ModeResult& result, const Comparison& comparison,
                                                   double timeout_s, int interrupt_fd) {
  using Kind = ChildOutcome::Kind;
  const auto folder = TemporaryFolder::create();
  if (!folder) return std::optional<Profile>();
  const StatsRuns runs(result, *folder, timeout_s, interrupt_fd);
  const StatsRun all = runs.run("");
  if (all.outcome.kind == Kind::interrupted) return std::nullopt;
  if (!all.stats.is_object()) return std::optional<Profile>();
  Profile profile;
  profile.stats = all.stats;
  profile.wall_s = number_at(all.stats, "time", "wall_s");
  profile.vcpu_s = number_at(all.stats, "time", "vcpu thread cpu_s");
  profile.halted_s = number_at(all.stats, "time", "halted_s");
  profile.instructions = static_cast<u64>(number_at(all.stats, "machine", "instructions retired"));
  profile.translation_s = translation_seconds(all.stats);
  for (const auto& [reason, count] : exits_in(all.stats))
    profile.exits.push_back({.reason = reason, .count = count});
  std::vector<RowProfile> rows;
  RowProfile without;
  if (comparison.workload.ends_with_status) {  // era-bench: it takes rows=
    const auto none = profile_without_rows(runs);
    if (!none) return std::nullopt;
    without = *none;
    for (const std::string& row : result.order) {
      if (!result.cells.at(row).measured()) continue;
      const StatsRun one = runs.run(kRowOptions + row);
      if (one.outcome.kind == Kind::interrupted) return std::nullopt;
      if (one.stats.is_object()) rows.push_back(row_profile(row, one));
    }
  }
  cost_exits(profile, without, rows);
  return std::optional<Profile>(std::move(profile));
}

}  // namespace ringshift
