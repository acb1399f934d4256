// The supervisor's differential test: random code of any privilege on an engine and on the interpreter.
#include <fmt/format.h>

#include "tests/differential/case_run.h"
#include "tests/supervisor/comparison.h"

namespace ringshift::supervisor {
namespace {

struct Options : differential::CaseOptions {
  std::string trace;
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

  differential::CaseRun cases(options);
  cases.run([&](u64 number) { return generator.generate(options.seed, number, base); },
            [&](const Case& test) { return comparison.differences(test, test.sequence, options.repeat); },
            [&](const Case& test, u64 number, std::string what) {
              report(options, comparison, test, number, std::move(what));
            });
  fmt::print("{}\n", comparison.ends());
  cases.summarize("interp", actual->get());
  return cases.good() ? 0 : 1;
}

}  // namespace
}  // namespace ringshift::supervisor

int main(int argc, char** argv) {
  ringshift::supervisor::Options options;
  options.engine = "bt";
  options.count = 100000;
  CLI::App app("Compares an engine with the interpreter on random code of any privilege");
  options.declare(app, "bt-soft, bt-window, bt");
  app.add_option("-d", options.trace,
                 "trace points, as of ringshift run -d; to expected.trace and actual.trace");
  CLI11_PARSE(app, argc, argv);
  return ringshift::supervisor::run(options);
}
