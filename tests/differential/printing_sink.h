// PrintingSink: an engine's counts, a line each, but those that are 0.
#pragma once

#include <fmt/format.h>

#include "cpu-model/execution_engine.h"

namespace ringshift::differential {

class PrintingSink final : public StatsSink {
 public:
  void count(std::string_view group, std::string_view name, u64 value) override {
    if (value != 0) fmt::print("{} {}: {}\n", group, name, value);
  }
  void figure(std::string_view group, std::string_view name, double value, std::string_view unit) override {
    fmt::print("{} {}: {:.3f} {}\n", group, name, value, unit);
  }
};

}  // namespace ringshift::differential
