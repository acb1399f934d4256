// The values of -engine and -engine-switch.
#include <algorithm>
#include <charconv>
#include <string_view>

#include "cli/options.h"
#include "machine/engine_factory.h"

namespace ringshift {

namespace {

std::vector<std::string_view> split_at_commas(std::string_view text) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto comma = text.find(',');
    parts.push_back(text.substr(0, comma));
    if (comma == std::string_view::npos) return parts;
    text.remove_prefix(comma + 1);
  }
}

struct Length {
  u64 value;  // ns, or instructions
  bool counted;
};

// 100ms, 50us, 2s, 1000i: above 0, below a day or 2^50 instructions.
std::optional<Length> parse_length(std::string_view text) {
  u64 number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || number == 0) return std::nullopt;
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  constexpr u64 kDay = u64{86'400} * 1'000'000'000;
  constexpr u64 kMostCounted = u64{1} << 50;
  if (unit == "i") return number < kMostCounted ? std::optional(Length{number, true}) : std::nullopt;
  constexpr std::pair<std::string_view, u64> kUnits[] = {
      {"us", 1000}, {"ms", 1'000'000}, {"s", 1'000'000'000}};
  for (const auto& [name, ns] : kUnits)
    if (unit == name && number < kDay / ns) return Length{number * ns, false};
  return std::nullopt;
}

}  // namespace

Result<std::vector<EngineKind>> parse_engines(const std::string& text) {
  std::vector<EngineKind> engines;
  for (const std::string_view name : split_at_commas(text)) {
    const auto kind = engine_of_name(name);
    if (!kind)
      return fail(ErrorKind::usage, "-engine takes bt, interp, kvm, trap, a list of them, or auto, not '{}'",
                  text);
    if (std::find(engines.begin(), engines.end(), *kind) != engines.end())
      return fail(ErrorKind::usage, "-engine {}: {} is named twice", text, name);
    engines.push_back(*kind);
  }
  return engines;
}

Result<EngineTurns> parse_engine_turns(const std::string& text) {
  constexpr std::string_view kEvery = "every:";
  const auto wrong = [&] {
    return fail(
        ErrorKind::usage,
        "-engine-switch takes every:TIME,ENGINE[:TIME],ENGINE[:TIME]...; a TIME is 100ms, 50us, 2s or, "
        "under -icount, 1000i; not '{}'",
        text);
  };
  if (!text.starts_with(kEvery)) return wrong();
  const auto parts = split_at_commas(std::string_view(text).substr(kEvery.size()));
  const auto usual = parse_length(parts[0]);
  if (!usual || parts.size() < 3) return wrong();
  EngineTurns turns{.counted = usual->counted, .turns = {}};
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const auto colon = parts[i].find(':');
    const auto length = colon == std::string_view::npos ? usual : parse_length(parts[i].substr(colon + 1));
    if (!length || length->counted != usual->counted) return wrong();
    turns.turns.push_back({std::string(parts[i].substr(0, colon)), length->value});
  }
  return turns;
}

}  // namespace ringshift
