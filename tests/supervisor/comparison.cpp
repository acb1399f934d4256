// Comparison: images of memory made once, and the arenas' contents once for each seed of theirs.
#include "tests/supervisor/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "cpu-model/vcpu_dump.h"
#include "tests/supervisor/image.h"

namespace ringshift::supervisor {

namespace {

// What isn't compared of the x87 and SSE state: FOP, FIP, FDP, MXCSR_MASK and what FXSAVE leaves alone.
VcpuState with_fields_of(const VcpuState& expected, VcpuState actual) {
  const auto take = [&](unsigned from, unsigned to) {
    std::memcpy(actual.fx.bytes + from, expected.fx.bytes + from, to - from);
  };
  take(5, 24);
  take(28, 32);
  take(288, sizeof actual.fx.bytes);
  return actual;
}

}  // namespace

Comparison::Comparison(Machine& expected, Machine& actual) : expected_(expected), actual_(actual) {
  for (const bool pae : {false, true})
    for (const Ending ending : {Ending::stop, Ending::resume})
      images_[pae][static_cast<unsigned>(ending)] = make_image(pae, ending);
}

std::string Comparison::differences(const Case& test, const differential::Sequence& sequence,
                                    unsigned repeat) {
  const auto code = sequence.assemble();
  if (!code) return {};
  const std::vector<u8> image = image_of(test, sequence.start, *code);
  const Outcome expected = run(expected_, test, image);
  ++ends_[end_of(expected)];
  if (expected.reason == ExitReason::requested) return {};
  for (unsigned i = 0; i < repeat; ++i) {
    const Outcome actual = run(actual_, test, image);
    const std::string out = compare(test, expected, actual);
    if (!out.empty()) return fmt::format("  in run {} of {}\n", i + 1, repeat) + out;
  }
  return {};
}

differential::Sequence Comparison::shrink(const Case& test, unsigned repeat) {
  return test.sequence.shrunk(
      [&](const differential::Sequence& part) { return !differences(test, part, repeat).empty(); });
}

std::string Comparison::ends() const {
  std::string text;
  for (u32 i = 0; i < 256; ++i)
    if (ends_[i] != 0) text += fmt::format(" {}:{}", i, ends_[i]);
  return fmt::format("ends in stubs:{}; elsewhere: {}; shutdown: {}; never: {}", text, ends_[kElsewhere],
                     ends_[kShutdown], ends_[kEndless]);
}

u32 Comparison::end_of(const Outcome& outcome) {
  if (outcome.reason == ExitReason::shutdown) return kShutdown;
  if (outcome.reason != ExitReason::halted) return kEndless;
  return std::min(outcome.state.eip() - 1 - kStubs, kElsewhere);
}

std::vector<u8> Comparison::image_of(const Case& test, u32 start, const std::vector<u8>& code) {
  std::vector<u8> image = images_[test.pae()][static_cast<unsigned>(test.ending)];
  const auto arena = [&](unsigned index) {
    return image.data() + kArenaPages + differential::arena_offset(index);
  };
  if (!filled_ || contents_seed_ != test.memory_seed) {
    for (unsigned i = 0; i < kArenaCount; ++i) differential::fill_memory(test.memory_seed, i, contents_[i]);
    contents_seed_ = test.memory_seed;
    filled_ = true;
  }
  for (unsigned i = 0; i < kArenaCount; ++i) std::memcpy(arena(i), contents_[i].data(), contents_[i].size());
  std::memset(arena(differential::kCode), 0xf4, kArenas[differential::kCode].size());
  const u32 code_base = test.mode == Mode::protected32 ? kArenas[differential::kCode].base : kRealCode;
  std::memcpy(arena(differential::kCode) + (start - code_base), code.data(), code.size());
  return image;
}

Comparison::Outcome Comparison::run(Machine& machine, const Case& test, const std::vector<u8>& image) {
  machine.fill(image);
  Outcome outcome;
  outcome.state = test.state;
  outcome.reason = machine.run(outcome.state, test.interrupt);
  return outcome;
}

std::string Comparison::compare(const Case& test, const Outcome& expected, const Outcome& actual) const {
  std::string out;
  if (expected.reason != actual.reason)
    out += fmt::format("  ended: expected {}, got {}\n", static_cast<int>(expected.reason),
                       static_cast<int>(actual.reason));
  out += diff_vcpu(expected.state, with_fields_of(expected.state, actual.state));
  const u32 end = end_of(expected);
  const bool faulted = end < kIrqVector || end == kShutdown;
  return out + compare_memory(test.ending == Ending::resume || faulted);
}

std::string Comparison::compare_memory(bool looked_up) const {
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

}  // namespace ringshift::supervisor
