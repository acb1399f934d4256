// StatsReport: the figures of -stats, gathered from all parts, as text or JSON.
#pragma once

#include <string>
#include <vector>

#include "cpu-model/execution_engine.h"

namespace ringshift {

class StatsReport final : public StatsSink {
 public:
  void count(std::string_view group, std::string_view name, u64 value) override;
  void figure(std::string_view group, std::string_view name, double value, std::string_view unit) override;

  // A table, one group after the other.
  std::string text() const;
  // {"group": {"name": value}}; figures carry their unit in the name ("wall_s").
  std::string json() const;

 private:
  struct Line {
    std::string name;
    bool is_count;
    u64 count;
    double figure;
    std::string unit;
  };
  struct Group {
    std::string name;
    std::vector<Line> lines;
  };
  Group& group(std::string_view name);
  std::vector<Group> groups_;
};

}  // namespace ringshift
