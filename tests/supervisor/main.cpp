// The supervisor's differential test: random code of any privilege on an engine and on the interpreter.
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstring>

#include "cpu-model/vcpu_dump.h"
#include "tests/differential/engine_factory.h"
#include "tests/supervisor/generator.h"
#include "tests/supervisor/image.h"
#include "tests/supervisor/machine.h"

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

class PrintingSink final : public StatsSink {
 public:
  void count(std::string_view group, std::string_view name, u64 value) override {
    if (value != 0) fmt::print("{} {}: {}\n", group, name, value);
  }
  void figure(std::string_view, std::string_view, double, std::string_view) override {}
};

struct Outcome {
  ExitReason reason = ExitReason::failed;
  VcpuState state{};
  bool faulted() const { return reason == ExitReason::shutdown || state.eip() - 1 - kStubs < kIrqVector; }
};

class Comparison {
 public:
  Comparison(Machine& expected, Machine& actual) : expected_(expected), actual_(actual) {
    for (const bool pae : {false, true})
      for (const Ending ending : {Ending::stop, Ending::resume})
        images_[pae][static_cast<unsigned>(ending)] = make_image(pae, ending);
  }

  // One line for each difference; empty if there is none.
  std::string differences(const Case& test, const differential::Sequence& sequence, unsigned repeat) {
    const auto code = sequence.assemble();
    if (!code) return {};
    const std::vector<u8> image = image_of(test, sequence.start, *code);
    const Outcome expected = run(expected_, test, image);
    ++ends_[expected.reason == ExitReason::halted     ? stub_of(expected.state)
            : expected.reason == ExitReason::shutdown ? kShutdown
                                                      : kEndless];
    if (expected.reason == ExitReason::requested) return {};
    for (unsigned i = 0; i < repeat; ++i) {
      const Outcome actual = run(actual_, test, image);
      const std::string out = compare(test, expected, actual);
      if (!out.empty()) return fmt::format("  in run {} of {}\n", i + 1, repeat) + out;
    }
    return {};
  }

  std::string ends() const {
    std::string text;
    for (u32 i = 0; i < 256; ++i)
      if (ends_[i] != 0) text += fmt::format(" {}:{}", i, ends_[i]);
    return fmt::format("ends in stubs:{}; elsewhere: {}; shutdown: {}; never: {}", text, ends_[kElsewhere],
                       ends_[kShutdown], ends_[kEndless]);
  }

 private:
  static constexpr u32 kElsewhere = 256, kShutdown = 257, kEndless = 258;

  static u32 stub_of(const VcpuState& state) {
    const u32 stub = state.eip() - 1 - kStubs;
    return stub < 256 ? stub : kElsewhere;
  }

  std::vector<u8> image_of(const Case& test, u32 start, const std::vector<u8>& code) {
    std::vector<u8> image = images_[test.pae()][static_cast<unsigned>(test.ending)];
    const auto arena = [&](unsigned index) {
      return image.data() + kArenaPages + differential::arena_offset(index);
    };
    if (!filled_ || contents_seed_ != test.memory_seed) {
      for (unsigned i = 0; i < kArenaCount; ++i) differential::fill_memory(test.memory_seed, i, contents_[i]);
      contents_seed_ = test.memory_seed;
      filled_ = true;
    }
    for (unsigned i = 0; i < kArenaCount; ++i)
      std::memcpy(arena(i), contents_[i].data(), contents_[i].size());
    std::memset(arena(differential::kCode), 0xf4, kArenas[differential::kCode].size());
    const u32 code_base = test.mode == Mode::protected32 ? kArenas[differential::kCode].base : kRealCode;
    std::memcpy(arena(differential::kCode) + (start - code_base), code.data(), code.size());
    return image;
  }

  static Outcome run(Machine& machine, const Case& test, const std::vector<u8>& image) {
    machine.fill(image);
    Outcome outcome;
    outcome.state = test.state;
    outcome.reason = machine.run(outcome.state, test.interrupt);
    return outcome;
  }

  // What isn't compared of the x87 and SSE state: FOP, FIP, FDP, MXCSR_MASK and what FXSAVE leaves alone.
  static VcpuState with_fields_of(const VcpuState& expected, VcpuState actual) {
    const auto take = [&](unsigned from, unsigned to) {
      std::memcpy(actual.fx.bytes + from, expected.fx.bytes + from, to - from);
    };
    take(5, 24);
    take(28, 32);
    take(288, sizeof actual.fx.bytes);
    return actual;
  }

  std::string compare(const Case& test, const Outcome& expected, const Outcome& actual) const {
    std::string out;
    if (expected.reason != actual.reason)
      out += fmt::format("  ended: expected {}, got {}\n", static_cast<int>(expected.reason),
                         static_cast<int>(actual.reason));
    out += diff_vcpu(expected.state, with_fields_of(expected.state, actual.state));
    return out + compare_memory(test.ending == Ending::resume || expected.faulted());
  }

  // looked_up: there may have been an SSE operand misaligned, or an x87 exception pending. Before the host's
  // CPU finds them a translator has looked up the operand's page: accessed and dirty bits may be set.
  std::string compare_memory(bool looked_up) const {
    const auto left = expected_.memory(), right = actual_.memory();
    std::string out;
    if (std::memcmp(left.data(), right.data(), left.size()) == 0) return out;
    constexpr u32 kAccessedAndDirty = 0x60;
    unsigned shown = 0;
    for (u32 at = 0; at < left.size() && shown < 16; at += 4) {
      u32 expected = 0, actual = 0;
      std::memcpy(&expected, left.data() + at, 4);
      std::memcpy(&actual, right.data() + at, 4);
      const bool entry = at >= kPdpt && at < kSystem;
      if (expected == actual || (looked_up && entry && ((expected ^ actual) & ~kAccessedAndDirty) == 0))
        continue;
      out += fmt::format("  physical {:05x}: expected {:08x}, got {:08x}\n", at, expected, actual);
      ++shown;
    }
    return out;
  }

  Machine& expected_;
  Machine& actual_;
  std::vector<u8> images_[2][2];  // by PAE and Ending
  std::vector<u8> contents_[kArenaCount];
  u64 contents_seed_ = 0;
  bool filled_ = false;
  u64 ends_[259] = {};
};

differential::Sequence shrink(Comparison& comparison, const Case& test, unsigned repeat) {
  differential::Sequence best = test.sequence;
  for (bool progress = true; progress;) {
    progress = false;
    for (u32 i = static_cast<u32>(best.items.size()); i > 0 && best.items.size() > 1; --i) {
      if (best.items[i - 1].bounds_loop && best.loops()) continue;
      const differential::Sequence candidate = best.without(i - 1);
      if (comparison.differences(test, candidate, repeat).empty()) continue;
      best = candidate;
      progress = true;
    }
  }
  return best;
}

void report(const Options& options, Comparison& comparison, const Case& test, u64 number, std::string what) {
  const differential::Sequence least = shrink(comparison, test, options.repeat);
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

// What goes round for ever on the engine alone ends the test with its number.
volatile u64 g_number = 0;
volatile u64 g_seed = 0;
constexpr unsigned kWatchSeconds = 20;

void on_alarm(int) {
  char text[128];
  const auto end =
      fmt::format_to_n(text, sizeof text, "FAIL --seed {} --first {} --count 1 --print: does not end\n",
                       u64{g_seed}, u64{g_number});
  if (write(STDOUT_FILENO, text, end.size) < 0) _exit(4);
  _exit(3);
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

  g_seed = options.seed;
  signal(SIGALRM, on_alarm);
  const auto start = std::chrono::steady_clock::now();
  unsigned failures = 0;
  for (u64 number = options.first; number < options.first + options.count; ++number) {
    const Case test = generator.generate(options.seed, number, base);
    g_number = number;
    if ((number - options.first) % 1024 == 0) alarm(kWatchSeconds);
    if (options.print) {
      fmt::print("{}:\n{}", number, test.sequence.disassemble());
      std::fflush(stdout);
    }
    const std::string what = comparison.differences(test, test.sequence, options.repeat);
    if (what.empty()) continue;
    report(options, comparison, test, number, what);
    alarm(kWatchSeconds);
    if (++failures >= options.max_failures) break;
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  fmt::print("{}\n{} against interp: seed {}, {} sequences, {} differ, {:.1f} s\n", comparison.ends(),
             options.engine, options.seed, options.count, failures, seconds);
  if (options.stats) {
    PrintingSink sink;
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
