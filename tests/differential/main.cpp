// The differential test: random user-level code on an engine and on the host's own CPU.
#include <fmt/format.h>

#include "tests/differential/arena_mapping.h"
#include "tests/differential/case_run.h"
#include "tests/differential/comparison.h"
#include "tests/differential/engine_runner.h"
#include "tests/differential/generator.h"
#include "tests/differential/host_runner.h"
#include "tests/differential/long_mode_engine.h"

namespace ringshift::differential {
namespace {

struct Options : CaseOptions {
  std::string against = "host";
  bool small_segments = false;
};

// Under host64, who executed the expected side's instructions.
class HostShare final : public StatsSink {
 public:
  void count(std::string_view, std::string_view name, u64 value) override {
    (name == kByHostCpu ? by_host_ : by_others_) += value;
  }
  void figure(std::string_view, std::string_view, double, std::string_view) override {}
  u64 by_host() const { return by_host_; }
  u64 by_others() const { return by_others_; }

 private:
  u64 by_host_ = 0, by_others_ = 0;
};

Result<std::unique_ptr<EngineRunner>> make_engine(const std::string& name, bool low_arena) {
  const EngineFactory* factory = find_engine(name);
  if (factory == nullptr) return fail(ErrorKind::usage, "no engine '{}' in this build", name);
  return EngineRunner::create(*factory, low_arena);
}

void report(const Options& options, Comparison& comparison, const TestCase& test, u64 number) {
  const Sequence least = comparison.shrink(test, options.repeat);
  const std::string what = comparison.differences(least, test, options.repeat);
  RunResult before;
  before.state = test.state;
  fmt::print("FAIL{} --seed {} --first {} --count 1 ({} of {} items left)\n{}{} before: {}\n",
             options.small_segments ? " --segments" : "", options.seed, number, least.items.size(),
             test.sequence.items.size(), least.disassemble(), what, describe(before));
}

constexpr int kSkipped = 77;

// Where the expected results come from, and what is to give the same.
struct Runners {
  std::unique_ptr<HostRunner> host;
  std::unique_ptr<EngineRunner> reference, engine;
  bool low_arena = true, small_segments = true;

  Runner& expected() const { return host != nullptr ? static_cast<Runner&>(*host) : *reference; }
  Runner& actual() const { return engine != nullptr ? static_cast<Runner&>(*engine) : *host; }
};

Result<Runners> make_runners(const Options& options) {
  Runners runners;
  if (options.against == "host") {
    runners.host = RS_TRY(HostRunner::create());
    runners.low_arena = runners.host->has_low_arena();
    runners.small_segments = runners.host->has_small_segments();
  } else {
    if (options.against == "host64") runners.low_arena = may_have_low_arena();
    runners.reference = RS_TRY(make_engine(options.against, runners.low_arena));
    runners.reference->tell_endless();
  }
  if (options.engine != "host")
    runners.engine = RS_TRY(make_engine(options.engine, runners.low_arena));
  else if (runners.host == nullptr)
    return fail(ErrorKind::usage, "--engine host goes with --against host only");
  return runners;
}

// Where the host runs no 32-bit code, what comes nearest. False: that leaves nothing to compare.
bool settle_reference(Options& options) {
  if (options.against != "host" || HostRunner::host_can()) return true;
  fmt::print(stderr, "this host runs no 32-bit code: ");
  options.against = options.small_segments ? "interp" : "host64";
  const bool compares = options.engine != "host" && options.engine != options.against;
  if (compares)
    fmt::print(stderr, "the expected results are {}'s\n", options.against);
  else
    fmt::print(stderr, "nothing to compare with\n");
  return compares;
}

void print_ends(const Comparison& comparison) {
  std::string ends;
  for (unsigned vector = 0; vector < 32; ++vector)
    if (const u64 n = comparison.stops(vector); n != 0) ends += fmt::format(" {}:{}", vector, n);
  fmt::print("ends by vector:{}; at the final HLT: {}; never: {}\n", ends, comparison.finished(),
             comparison.endless());
}

// Whether it was a comparison with the host's CPU: what interp says would be compared with itself.
bool host_had_its_share(const Options& options, const EngineRunner& reference) {
  HostShare share;
  reference.report(share);
  fmt::print("{} instructions by the host's CPU, {} by interp\n", share.by_host(), share.by_others());
  // Of a sequence; interp's may go round for ever.
  constexpr u64 kUsual = 4;
  constexpr u64 kEnoughToJudge = 1000;
  if (options.count < kEnoughToJudge || share.by_host() >= kUsual * options.count) return true;
  fmt::print("FAIL: the expected results are mostly interp's\n");
  return false;
}

int run(Options options) {
  if (!settle_reference(options)) return kSkipped;
  auto made = make_runners(options);
  if (!made) {
    fmt::print(stderr, "{}\n", made.error().message);
    return 2;
  }
  const Runners& runners = *made;
  auto cpuid = CpuidTable::create("n270");
  if (!cpuid) return 2;
  if (options.small_segments && !runners.small_segments) {
    fmt::print(stderr, "this kernel has no modify_ldt\n");
    return kSkipped;
  }
  const Generator generator(*cpuid, runners.low_arena, options.small_segments);
  Comparison comparison(runners.expected(), runners.actual(), runners.low_arena);

  CaseRun cases(options);
  cases.run([&](u64 number) { return generator.generate(options.seed, number); },
            [&](const TestCase& test) { return comparison.differences(test.sequence, test, options.repeat); },
            [&](const TestCase& test, u64 number, const std::string&) {
              report(options, comparison, test, number);
            });
  print_ends(comparison);
  cases.summarize(options.against, runners.engine.get());
  const bool compared = options.against != "host64" || host_had_its_share(options, *runners.reference);
  return cases.good() && compared ? 0 : 1;
}

}  // namespace
}  // namespace ringshift::differential

int main(int argc, char** argv) {
  ringshift::differential::Options options;
  options.engine = "interp";
  options.count = 200000;
  CLI::App app("Compares an engine with the host's CPU on random user-level instructions");
  options.declare(app, "interp, bt-soft, bt-window, bt, host64; host: the host against itself");
  app.add_option(
      "--against", options.against,
      "where the expected results come from: host, or an engine. Where the host runs no 32-bit code: host64, "
      "which is the host's CPU in 64-bit mode for what it executes alike there, and interp; with --segments: "
      "interp");
  app.add_flag("--segments", options.small_segments,
               "16-bit code and stacks, segments with bases and limits");
  CLI11_PARSE(app, argc, argv);
  return ringshift::differential::run(options);
}
