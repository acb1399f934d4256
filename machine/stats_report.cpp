// Rendering of -stats.
#include "machine/stats_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace ringshift {

namespace {
// 1234567 as 1,234,567.
std::string grouped(u64 value) {
  std::string digits = fmt::to_string(value);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, 1, ',');
  return digits;
}
}  // namespace

StatsReport::Group& StatsReport::group(std::string_view name) {
  for (Group& group : groups_)
    if (group.name == name) return group;
  return groups_.emplace_back(Group{std::string(name), {}});
}

void StatsReport::count(std::string_view group_name, std::string_view name, u64 value) {
  group(group_name).lines.push_back({std::string(name), true, value, 0, {}});
}

void StatsReport::figure(std::string_view group_name, std::string_view name, double value,
                         std::string_view unit) {
  group(group_name).lines.push_back({std::string(name), false, 0, value, std::string(unit)});
}

std::string StatsReport::text() const {
  std::string out;
  for (const Group& group : groups_) {
    out += fmt::format("{}\n", group.name);
    for (const Line& line : group.lines) {
      if (line.is_count)
        out += fmt::format("  {:<44} {:>20}\n", line.name, grouped(line.count));
      else
        out += fmt::format("  {:<44} {:>20.4g} {}\n", line.name, line.figure, line.unit);
    }
  }
  return out;
}

std::string StatsReport::json() const {
  nlohmann::ordered_json root;
  for (const Group& group : groups_) {
    auto& object = root[group.name];
    object = nlohmann::ordered_json::object();
    for (const Line& line : group.lines) {
      if (line.is_count)
        object[line.name] = line.count;
      else
        object[line.unit.empty() ? line.name : line.name + "_" + line.unit] = line.figure;
    }
  }
  // Names of the guest's making never get here, but a byte that isn't UTF-8 must not throw.
  return root.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace ringshift
