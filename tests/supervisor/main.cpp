// The supervisor's differential test: random code of any privilege on an engine and on the interpreter.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>

#include "tests/differential/case_watch.h"
#include "tests/differential/printing_sink.h"
#include "tests/supervisor/comparison.h"

namespace ringshift::supervisor {
namespace {

struct Options {
  std::string engine = "bt";
  u64 seed = 1;
  u64 first = 0;
  u64 count = 100000;
  unsigned repeat = 1;
  unsigned max_failures = 10;
  bool print = false;
  std::string trace;
  bool stats = false;
};

void report(const Options& options, Comparison& comparison, const Case& test, u64 number, std::string what) {
  const differential::Sequence least = comparison.shrink(test, options.repeat);
  if (const std::string again = comparison.differences(test, least, options.repeat); !again.empty())
    what = again;
  else
    what += "  not again\n";
  fmt::print("FAIL --seed {} --first {} --count 1 ({} of {} items left; CPL {}, {}, EFLAGS {:08x}{})\n{}{}",
             options.seed, number, least.items.size(), test.sequence.items.size(), test.state.cpl,
             test.mode == Mode::real    ? "real mode"
             : test.mode == Mode::v8086 ? "v8086 mode"
             : test.pae()               ? "PAE"
                                        : "32-bit paging",
             test.state.eflags(), test.interrupt ? ", an interrupt waits" : "", least.disassemble(), what);
  std::fflush(stdout);
}

int run(const Options& options) {
  const differential::EngineFactory* const reference = differential::find_engine("interp");
  const differential::EngineFactory* const engine = differential::find_engine(options.engine);
  if (engine == nullptr || reference == nullptr) {
    fmt::print(stderr, "no engine '{}' in this build\n", options.engine);
    return 2;
  }
  auto expected = Machine::create(*reference);
  auto actual = Machine::create(*engine);
  auto cpuid = CpuidTable::create("n270");
  if (!expected || !actual || !cpuid) return 2;
  for (Machine* const machine : {expected->get(), actual->get()}) {
    if (options.trace.empty()) continue;
    const char* const file = machine == expected->get() ? "expected.trace" : "actual.trace";
    if (const auto traced = machine->trace(options.trace, file); !traced) {
      fmt::print(stderr, "{}\n", traced.error().message);
      return 2;
    }
  }
  constexpr u64 kMostInstructions = 20000;
  (*expected)->limit_instructions(kMostInstructions);
  VcpuState base{};
  reset_vcpu(base, cpuid->signature());
  const Generator generator(*cpuid);
  Comparison comparison(**expected, **actual);

  differential::CaseWatch watch(options.seed);
  const auto start = std::chrono::steady_clock::now();
  unsigned failures = 0;
  for (u64 number = options.first; number < options.first + options.count; ++number) {
    const Case test = generator.generate(options.seed, number, base);
    watch.begin(number);
    if (options.print) {
      fmt::print("{}:\n{}", number, test.sequence.disassemble());
      std::fflush(stdout);
    }
    const std::string what = comparison.differences(test, test.sequence, options.repeat);
    if (what.empty()) continue;
    report(options, comparison, test, number, what);
    watch.rest();
    if (++failures >= options.max_failures) break;
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  fmt::print("{}\n{} against interp: seed {}, {} sequences, {} differ, {:.1f} s\n", comparison.ends(),
             options.engine, options.seed, options.count, failures, seconds);
  if (options.stats) {
    differential::PrintingSink sink;
    (*actual)->report(sink);
  }
  return failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace ringshift::supervisor

int main(int argc, char** argv) {
  ringshift::supervisor::Options options;
  CLI::App app("Compares an engine with the interpreter on random code of any privilege");
  app.add_option("--engine", options.engine, "bt-soft, bt-window, bt");
  app.add_option("--seed", options.seed);
  app.add_option("--first", options.first, "number of the first sequence");
  app.add_option("--count", options.count);
  app.add_option("--repeat", options.repeat, "runs of each sequence on the engine");
  app.add_option("--max-failures", options.max_failures);
  app.add_flag("--print", options.print, "list each sequence before it runs");
  app.add_option("-d", options.trace,
                 "trace points, as of ringshift run -d; to expected.trace and actual.trace");
  app.add_flag("--stats", options.stats, "print the engine's counts at the end");
  CLI11_PARSE(app, argc, argv);
  return ringshift::supervisor::run(options);
}
