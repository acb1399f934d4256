// Reading a guest's lines.
#include "report/guest_log.h"

#include <array>
#include <charconv>
#include <cmath>

namespace ringshift {

namespace {
constexpr std::size_t kMostRows = 256, kMostName = 40, kMostWords = 8;

struct Words {
  std::array<std::string_view, kMostWords> word;
  std::size_t count = 0;
  std::string_view rest_from(std::size_t index, std::string_view line) const {
    if (index >= count) return {};
    return line.substr(static_cast<std::size_t>(word[index].data() - line.data()));
  }
};

// The first words of a line; the last holds what remains, so that a long text is no reason to look further.
Words split(std::string_view line) {
  Words words;
  while (words.count < kMostWords) {
    const auto begin = line.find_first_not_of(' ');
    if (begin == std::string_view::npos) break;
    line.remove_prefix(begin);
    const auto end = words.count + 1 == kMostWords ? line.size() : std::min(line.find(' '), line.size());
    words.word[words.count++] = line.substr(0, end);
    line.remove_prefix(end);
  }
  return words;
}

// 12.5 and the like; neither signs, exponents, hexadecimal nor "inf".
std::optional<double> number(std::string_view text) {
  constexpr double kMost = 1e15;
  if (text.empty() || text.find_first_not_of("0123456789.") != std::string_view::npos) return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value) || value > kMost)
    return std::nullopt;
  return value;
}

bool is_checksum(std::string_view text) {
  return !text.empty() && text.size() <= 16 &&
         text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

LogRow* row_named(GuestLog& log, std::string_view name) {
  for (LogRow& row : log.rows)
    if (row.name == name) return &row;
  if (log.rows.size() == kMostRows) return nullptr;
  log.rows.push_back({.name = std::string(name)});
  return &log.rows.back();
}

// NAME UNIT MINIMUM MEDIAN COUNT; what was told first stays.
bool read_times(LogRow& row, bool cycles, std::string_view minimum, std::string_view median) {
  const auto least = number(minimum), middle = number(median);
  std::optional<double>& to = cycles ? row.median_cycles : row.median_ns;
  if (!least || !middle || *least > *middle || to) return false;
  to = middle;
  if (!cycles) row.minimum_ns = least;
  return true;
}

bool read_era(GuestLog& log, const Words& words, std::string_view line) {
  if (words.count == 2 && words.word[1] == "done") return log.done = true;
  if (words.count < 3 || !is_plain_name(words.word[1])) return false;
  const std::string_view name = words.word[1], kind = words.word[2];
  if (name == "kernel" && kind == "failed") {
    if (log.failure.empty()) log.failure = printable(words.rest_from(3, line));
    return true;
  }
  LogRow* row = row_named(log, name);
  if (row == nullptr) return false;
  if (kind == "ns" || kind == "cycles")
    return words.count == 6 && read_times(*row, kind == "cycles", words.word[3], words.word[4]);
  if (kind == "total") return words.count == 5;
  if (kind == "checksum") {
    if (words.count != 4 || !is_checksum(words.word[3]) || !row->checksum.empty()) return false;
    row->checksum = words.word[3];
    return true;
  }
  if (kind != "skip" && kind != "failed") return false;
  std::string& reason = kind == "skip" ? row->skipped : row->failed;
  if (reason.empty()) reason = printable(words.count > 3 ? words.rest_from(3, line) : "no reason given");
  return true;
}

// row NAME GROUP NS CHECKSUM, or row NAME GROUP failed: REASON
bool read_suite(GuestLog& log, const Words& words, std::string_view line) {
  if (words.count < 4 || !is_plain_name(words.word[1])) return false;
  LogRow* row = row_named(log, words.word[1]);
  if (row == nullptr) return false;
  if (words.word[3] == "failed:") {
    row->failed = printable(words.rest_from(4, line));
    return true;
  }
  if (words.count != 5 || !is_checksum(words.word[4])) return false;
  if (!read_times(*row, false, words.word[3], words.word[3])) return false;
  row->checksum = words.word[4];
  return true;
}

void read_fact(GuestLog& log, const Words& words, std::string_view line) {
  constexpr std::size_t kMostNote = 240;
  if (words.count > 2 && words.word[1] == "note" && log.note.empty())
    log.note = printable(words.rest_from(2, line), kMostNote);
  if (words.count != 3 || words.word[1] != "tsc-khz") return;
  if (const auto khz = number(words.word[2])) log.tsc_khz = static_cast<u64>(*khz);
}
}  // namespace

const LogRow* GuestLog::find(std::string_view name) const {
  for (const LogRow& row : rows)
    if (row.name == name) return &row;
  return nullptr;
}

bool is_plain_name(std::string_view name) {
  constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.+";
  return !name.empty() && name.size() <= kMostName &&
         name.find_first_not_of(kAlphabet) == std::string_view::npos;
}

std::string printable(std::string_view text, std::size_t most) {
  std::string out(text.substr(0, most));
  for (char& c : out)
    if (c < ' ' || c > '~') c = '?';
  return out;
}

GuestLog parse_guest_log(std::string_view text) {
  GuestLog log;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    while (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    const Words words = split(line);
    if (words.count == 0) continue;
    bool good = true;
    if (line.starts_with("era "))
      good = read_era(log, words, line);
    else if (line.starts_with("row "))
      good = read_suite(log, words, line);
    else if (line.starts_with("# "))
      read_fact(log, words, line);
    if (!good) ++log.malformed;
  }
  return log;
}

}  // namespace ringshift
