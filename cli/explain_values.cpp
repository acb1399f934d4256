// The values of explain's options.
#include <charconv>
#include <cmath>
#include <string_view>

#include "cli/options.h"

namespace ringshift {

namespace {
// Hexadecimal, with or without 0x.
std::optional<u64> parse_address(std::string_view text) {
  if (text.starts_with("0x") || text.starts_with("0X")) text.remove_prefix(2);
  u64 value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc{} || end != text.data() + text.size() || value > u64{1} << 32) return std::nullopt;
  return value;
}
}  // namespace

Result<ExplainCommand::Range> parse_address_range(const std::string& text) {
  const auto wrong = [&] {
    return fail(ErrorKind::usage,
                "--address takes LO-HI or LO+LENGTH in hexadecimal, such as 100000-100040, not '{}'", text);
  };
  const auto mark = text.find_first_of("-+");
  if (mark == std::string::npos) return wrong();
  const auto low = parse_address(std::string_view(text).substr(0, mark));
  const auto second = parse_address(std::string_view(text).substr(mark + 1));
  if (!low || !second || *low > 0xffffffff) return wrong();
  const u64 high = text[mark] == '+' ? *low + *second : *second;
  if (high <= *low || high > u64{1} << 32) return wrong();
  return ExplainCommand::Range{static_cast<u32>(*low), high};
}

Result<double> parse_duration(const std::string& text, const char* option) {
  const auto wrong = [&] {
    return fail(ErrorKind::usage, "{} takes a time above 0 such as 2s or 500ms, not '{}'", option, text);
  };
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return wrong();
  const std::string_view unit(end);
  const double scale = unit == "ms" ? 1e-3 : unit == "s" || unit.empty() ? 1 : 0;
  const double seconds = number * scale;
  if (!std::isfinite(seconds) || !(seconds > 0) || !(seconds < 1e9)) return wrong();
  return seconds;
}

std::string quoted_for_shell(const std::string& text) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,+@%";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string::npos) return text;
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'')
      quoted += "'\\''";
    else
      quoted += c;
  }
  return quoted + "'";
}

}  // namespace ringshift
