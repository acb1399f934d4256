// CaseRun: random cases, one after the other: what the differential programs share of their loop and their
// options.
#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <string>

#include "tests/differential/case_watch.h"
#include "tests/differential/printing_sink.h"

namespace ringshift::differential {

struct CaseOptions {
  std::string engine;
  u64 seed = 1;
  u64 first = 0;
  u64 count = 0;
  unsigned repeat = 1;
  unsigned max_failures = 10;
  bool print = false;
  bool stats = false;

  // engines: those that --engine takes, for the help.
  void declare(CLI::App& app, const std::string& engines) {
    app.add_option("--engine", engine, engines);
    app.add_option("--seed", seed);
    app.add_option("--first", first, "number of the first sequence");
    app.add_option("--count", count);
    app.add_option("--repeat", repeat, "runs of each sequence on the engine");
    app.add_option("--max-failures", max_failures);
    app.add_flag("--print", print, "list each sequence before it runs");
    app.add_flag("--stats", stats, "print the engine's counts at the end");
  }
};

class CaseRun {
 public:
  explicit CaseRun(const CaseOptions& options) : options_(options) {}

  // generate(number) makes a case, which has a `sequence`; differences(case) is empty if there is none;
  // report(case, number, differences) tells of it.
  template <class Generate, class Differences, class Report>
  void run(const Generate& generate, const Differences& differences, const Report& report) {
    CaseWatch watch(options_.seed);
    const auto start = std::chrono::steady_clock::now();
    for (u64 number = options_.first; number < options_.first + options_.count; ++number) {
      const auto test = generate(number);
      watch.begin(number);
      if (options_.print) {
        fmt::print("{}:\n{}", number, test.sequence.disassemble());
        std::fflush(stdout);
      }
      const std::string what = differences(test);
      if (what.empty()) continue;
      report(test, number, what);
      std::fflush(stdout);
      watch.rest();
      if (++failures_ >= options_.max_failures) break;
    }
    seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

  // The last line but the counts, and those if they are wanted. engine: has report(StatsSink&); null: none.
  template <class Engine>
  void summarize(const std::string& against, Engine* engine) const {
    fmt::print("{} against {}: seed {}, {} sequences, {} differ, {:.1f} s\n", options_.engine, against,
               options_.seed, options_.count, failures_, seconds_);
    if (!options_.stats || engine == nullptr) return;
    PrintingSink sink;
    engine->report(sink);
  }
  bool good() const { return failures_ == 0; }

 private:
  const CaseOptions& options_;
  unsigned failures_ = 0;
  double seconds_ = 0;
};

}  // namespace ringshift::differential
