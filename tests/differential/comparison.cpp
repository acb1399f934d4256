// Comparison: registers, flags, x87/SSE state, the exception, and all memory.
//
// Not compared, by design: EFLAGS.RF in the saved image (differs between host kernels' ways to deliver), FOP,
// FIP, FCS, FDP, FDS (deprecated, design 2.8), MXCSR_MASK and what FXSAVE's 32-bit layout leaves alone.
#include "tests/differential/comparison.h"

#include <fmt/core.h>

#include <cstring>
#include <optional>

#include "tests/differential/known_differences.h"

namespace ringshift::differential {

namespace {

constexpr u32 kRf = 1u << 16;
constexpr const char* kNames[8] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};

std::string hex(const u8* bytes, unsigned count) {
  std::string text;
  for (unsigned i = count; i > 0; --i) text += fmt::format("{:02x}", bytes[i - 1]);
  return text;
}

void differ(std::string& out, const char* name, u32 expected, u32 actual) {
  if (expected != actual) out += fmt::format("  {}: expected {:08x}, got {:08x}\n", name, expected, actual);
}

void compare_fx(std::string& out, const std::array<u8, 512>& expected, std::array<u8, 512> actual,
                bool ignore_precision) {
  struct Field {
    const char* name;
    unsigned offset, size;
  };
  if (ignore_precision) actual[24] = static_cast<u8>((actual[24] & ~0x20) | (expected[24] & 0x20));
  static constexpr Field kFields[] = {{"fcw", 0, 2}, {"fsw", 2, 2}, {"ftw", 4, 1}, {"mxcsr", 24, 4}};
  auto one = [&](const std::string& name, unsigned offset, unsigned size) {
    if (std::memcmp(expected.data() + offset, actual.data() + offset, size) != 0)
      out += fmt::format("  {}: expected {}, got {}\n", name, hex(expected.data() + offset, size),
                         hex(actual.data() + offset, size));
  };
  for (const Field& field : kFields) one(field.name, field.offset, field.size);
  for (unsigned i = 0; i < 8; ++i) one(fmt::format("st{}", i), 32 + 16 * i, 10);
  for (unsigned i = 0; i < 8; ++i) one(fmt::format("xmm{}", i), 160 + 16 * i, 16);
}

std::string compare_state(const RunResult& expected, const RunResult& actual, const Ignored& ignored) {
  std::string out;
  differ(out, "vector", expected.stop.vector, actual.stop.vector);
  if (expected.stop.vector == actual.stop.vector && !ignored.address) {
    if (has_error_code(expected.stop.vector))
      differ(out, "error code", expected.stop.error, actual.stop.error);
    if (expected.stop.vector == 14) differ(out, "cr2", expected.stop.address, actual.stop.address);
  }
  differ(out, "eip", expected.state.eip, actual.state.eip);
  differ(out, "eflags", expected.state.eflags & ~kRf, actual.state.eflags & ~kRf);
  for (unsigned i = 0; i < 8; ++i)
    if (!ignored.registers || i == 4) differ(out, kNames[i], expected.state.gpr[i], actual.state.gpr[i]);
  differ(out, "ds", expected.state.ds, actual.state.ds);
  differ(out, "es", expected.state.es, actual.state.es);
  if (!ignored.fx) compare_fx(out, expected.state.fx, actual.state.fx, ignored.precision);
  return out;
}

}  // namespace

std::string describe(const RunResult& result) {
  const UserState& s = result.state;
  std::string text = fmt::format(
      "vector {} error {:x} cr2 {:08x}  eip {:08x} eflags {:08x} cs {:x} ss {:x} ds {:x} es {:x}\n ",
      result.stop.vector, result.stop.error, result.stop.address, s.eip, s.eflags, s.cs, s.ss, s.ds, s.es);
  for (unsigned i = 0; i < 8; ++i) text += fmt::format(" {}={:08x}", kNames[i], s.gpr[i]);
  text += fmt::format("\n  fcw={} fsw={} ftw={} mxcsr={}\n", hex(s.fx.data(), 2), hex(s.fx.data() + 2, 2),
                      hex(s.fx.data() + 4, 1), hex(s.fx.data() + 24, 4));
  for (unsigned i = 0; i < 8; ++i)
    text += fmt::format("  st{}={}  xmm{}={}\n", i, hex(s.fx.data() + 32 + 16 * i, 10), i,
                        hex(s.fx.data() + 160 + 16 * i, 16));
  return text;
}

Comparison::Comparison(Runner& expected, Runner& actual, bool low_arena)
    : expected_(expected), actual_(actual) {
  for (unsigned i = 0; i < kArenaCount; ++i)
    if (kArenas[i].writable && (i != kLow || low_arena)) arenas_.push_back(i);
  const std::vector<u8> hlts(kArenas[kCode].size(), 0xf4);
  std::vector<u8> constants;
  fill_memory(1, kReadOnly, constants);
  for (Runner* runner : {&expected_, &actual_}) {
    runner->write(kArenas[kCode].base, hlts);
    runner->write(kArenas[kReadOnly].base, constants);
  }
}

void Comparison::prepare_memory(u64 seed) {
  if (filled_ && contents_seed_ == seed) return;
  contents_.resize(arenas_.size());
  for (std::size_t i = 0; i < arenas_.size(); ++i) fill_memory(seed, arenas_[i], contents_[i]);
  contents_seed_ = seed;
  filled_ = true;
}

void Comparison::fill(Runner& runner) {
  for (std::size_t i = 0; i < arenas_.size(); ++i) {
    // Only what changed is written: a store of the same bytes costs more than to compare.
    const u8* now = runner.arena(static_cast<ArenaIndex>(arenas_[i]));
    for (std::size_t offset = 0; offset < contents_[i].size(); offset += 256)
      if (std::memcmp(now + offset, contents_[i].data() + offset, 256) != 0)
        runner.write(kArenas[arenas_[i]].base + static_cast<u32>(offset),
                     {contents_[i].data() + offset, 256});
  }
}

void Comparison::write_code(const std::vector<u8>& code, u32 start) {
  const std::vector<u8> hlts(old_length_, 0xf4);
  for (Runner* runner : {&expected_, &actual_}) {
    if (old_length_ != 0) runner->write(old_start_, hlts);
    runner->write(start, code);
  }
  old_start_ = start;
  old_length_ = static_cast<u32>(code.size());
}

std::string Comparison::compare(const RunResult& expected, const RunResult& actual, bool memory) {
  const Ignored ignored = known_difference({expected_.arena(kCode), kArenas[kCode].size()}, expected, actual);
  std::string out = ignored.all ? std::string() : compare_state(expected, actual, ignored);
  if (memory && !ignored.memory) out += compare_memory();
  return out;
}

std::string Comparison::compare_memory() {
  std::string out;
  for (const unsigned index : arenas_) {
    const u8* expected = expected_.arena(static_cast<ArenaIndex>(index));
    const u8* actual = actual_.arena(static_cast<ArenaIndex>(index));
    if (std::memcmp(expected, actual, kArenas[index].size()) == 0) continue;
    unsigned shown = 0;
    for (u32 i = 0; i < kArenas[index].size() && shown < 16; ++i)
      if (expected[i] != actual[i]) {
        out += fmt::format("  [{:08x}]: expected {:02x}, got {:02x}\n", kArenas[index].base + i, expected[i],
                           actual[i]);
        ++shown;
      }
  }
  return out;
}

std::string Comparison::differences(const Sequence& sequence, const TestCase& test, unsigned repeat) {
  const auto code = sequence.assemble();
  if (!code) return {};
  prepare_memory(test.memory_seed);
  write_code(*code, sequence.start);
  fill(expected_);
  const RunResult expected = expected_.run(test.state);
  if (expected.stop.vector == kEndless) {
    ++endless_;
    return {};
  }
  ++stops_[expected.stop.vector % stops_.size()];
  if (expected.state.eip == sequence.start - sequence.base + code->size() - 1) ++finished_;
  for (unsigned i = 0; i < repeat; ++i) {
    fill(actual_);
    const RunResult actual = actual_.run(test.state);
    // A trap may come between a store of the x87 environment and its clean-up.
    const bool cut_short = expected.stop.vector == 1 || expected.stop.vector == 17;
    std::string out = compare(expected, actual, !cut_short || !sequence.stores_environment());
    if (out.empty()) continue;
    if (repeat > 1) out = fmt::format("  in run {} of {}\n", i + 1, repeat) + out;
    return out + " expected: " + describe(expected) + " got: " + describe(actual);
  }
  return {};
}

Sequence Comparison::shrink(const TestCase& test, unsigned repeat) {
  return test.sequence.shrunk([&](const Sequence& part) {
    const auto code = part.assemble();
    return code && !holds_system_call(*code) && !differences(part, test, repeat).empty();
  });
}

}  // namespace ringshift::differential
