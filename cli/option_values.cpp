// The values of options, in QEMU's spelling.
#include <algorithm>
#include <charconv>
#include <string_view>

#include "cli/options.h"
#include "memory/guest_memory.h"

namespace ringshift {

namespace {
// All of text as a number; nothing otherwise.
std::optional<u64> parse_digits(std::string_view text, int base) {
  u64 value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// The same, 0x for hexadecimal.
std::optional<u64> parse_number(std::string_view text) {
  const bool hexadecimal = text.starts_with("0x") || text.starts_with("0X");
  return hexadecimal ? parse_digits(text.substr(2), 16) : parse_digits(text, 10);
}

unsigned shift_of_suffix(char suffix) {
  switch (suffix) {
    case 'k':
    case 'K':
      return 10;
    case 'm':
    case 'M':
      return 20;
    case 'g':
    case 'G':
      return 30;
    default:
      return 0;
  }
}
}  // namespace

Result<u64> parse_memory_size(const std::string& text) {
  std::string_view digits = text;
  if (digits.starts_with("size=")) digits.remove_prefix(5);
  unsigned shift = 20;
  if (!digits.empty() && shift_of_suffix(digits.back()) != 0) {
    shift = shift_of_suffix(digits.back());
    digits.remove_suffix(1);
  }
  const auto number = parse_number(digits);
  if (!number) return fail(ErrorKind::usage, "-m takes a size such as 256, 512M or 1G, not '{}'", text);
  if (*number > (GuestMemory::kMaxSize >> shift) || (*number << shift) < (u64{1} << 20))
    return fail(ErrorKind::usage, "-m {}: guest RAM must be between 1M and {}M", text,
                GuestMemory::kMaxSize >> 20);
  const u64 size = *number << shift;
  if (size % kPageSize != 0)
    return fail(ErrorKind::usage, "-m {}: guest RAM must be a multiple of {}K", text, kPageSize >> 10);
  return size;
}

Result<CharTarget> parse_serial(const std::string& text) {
  if (text == "stdio" || text == "mon:stdio") return CharTarget{CharTarget::Kind::stdio, {}};
  if (text == "null" || text == "none") return CharTarget{CharTarget::Kind::null, {}};
  if (text.starts_with("file:") && text.size() > 5) return CharTarget{CharTarget::Kind::file, text.substr(5)};
  return fail(ErrorKind::usage, "-serial takes stdio, null or file:PATH, not '{}'", text);
}

Result<CharTarget> parse_debugcon(const std::string& text) {
  if (text.empty()) return fail(ErrorKind::usage, "-debugcon takes stdio, null or a file's path");
  if (auto target = parse_serial(text)) return target;
  return CharTarget{CharTarget::Kind::file, text};
}

Result<DebugExitConfig> parse_device(const std::string& text) {
  DebugExitConfig config;
  std::string_view rest = text;
  bool first = true;
  while (!rest.empty() || first) {
    const auto comma = rest.find(',');
    const std::string_view part = rest.substr(0, comma);
    rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
    if (first) {
      if (part != "isa-debug-exit")
        return fail(ErrorKind::usage, "-device knows isa-debug-exit only, not '{}'", part);
      first = false;
      continue;
    }
    const auto equals = part.find('=');
    const auto key = part.substr(0, equals);
    constexpr u64 kNone = ~u64{0};
    const u64 value =
        equals == std::string_view::npos ? kNone : parse_number(part.substr(equals + 1)).value_or(kNone);
    if (key == "iobase" && value <= 0xffff)
      config.iobase = static_cast<u16>(value);
    else if (key == "iosize" && (value == 1 || value == 2 || value == 4))
      config.iosize = static_cast<unsigned>(value);
    else
      return fail(ErrorKind::usage,
                  "-device isa-debug-exit takes iobase=0..0xffff and iosize=1, 2 or 4, not '{}'", part);
  }
  if (u32{config.iobase} + config.iosize > 0x10000)
    return fail(ErrorKind::usage, "-device isa-debug-exit: the ports must end at 0xffff");
  return config;
}

Result<XenDisk> parse_drive(const std::string& text) {
  XenDisk disk;
  std::string interface, format = "raw";
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    const std::string_view part = std::string_view(text).substr(at, comma - at);
    const std::size_t equals = part.find('=');
    const std::string_view name = part.substr(0, equals);
    const std::string value(equals == std::string_view::npos ? std::string_view() : part.substr(equals + 1));
    if (name == "file")
      disk.file = value;
    else if (name == "if")
      interface = value;
    else if (name == "format")
      format = value;
    else if (name == "readonly" && (value == "on" || value == "off"))
      disk.read_only = value == "on";
    else
      return fail(ErrorKind::usage, "-drive takes file=FILE,if=xen,readonly=on, not '{}'", part);
    at = comma + 1;
  }
  if (disk.file.empty() || interface != "xen" || format != "raw")
    return fail(ErrorKind::usage, "-drive takes file=FILE,if=xen (of format raw), not '{}'", text);
  return disk;
}

// QEMU's ",server=on,wait=off" and the like change nothing here: it always listens and never waits.
Result<std::string> parse_monitor(const std::string& text) {
  if (text == "none" || text == "null") return std::string();
  constexpr std::string_view kUnix = "unix:";
  std::string_view path = text;
  if (!path.starts_with(kUnix))
    return fail(ErrorKind::usage, "-monitor takes unix:PATH or none, not '{}'", text);
  path.remove_prefix(kUnix.size());
  for (const std::string_view tail : {",wait=off", ",nowait", ",server=on", ",server"})
    if (path.ends_with(tail)) path.remove_suffix(tail.size());
  if (path.empty()) return fail(ErrorKind::usage, "-monitor unix: needs a path");
  return std::string(path);
}

Result<unsigned> parse_icount(const std::string& text) {
  std::string_view digits = text;
  if (digits.starts_with("shift=")) digits.remove_prefix(6);
  const auto number = parse_number(digits);
  if (!number || *number > 10)
    return fail(ErrorKind::usage, "-icount takes shift=0 to shift=10 (an instruction is 2^N ns), not '{}'",
                text);
  return static_cast<unsigned>(*number);
}

Result<u64> parse_count(const std::string& text, const char* option) {
  const auto number = parse_digits(text, 10);
  if (!number || *number == 0 || *number > (u64{1} << 50))
    return fail(ErrorKind::usage, "{} takes a number above 0, not '{}'", option, text);
  return *number;
}

Result<unsigned> parse_verify_part(const std::string& text) {
  const auto number = parse_digits(text, 10);
  if (!number || *number == 0 || *number > 1000000)
    return fail(ErrorKind::usage, "-bt-verify-part takes a number between 1 and 1000000, not '{}'", text);
  return static_cast<unsigned>(*number);
}

}  // namespace ringshift
