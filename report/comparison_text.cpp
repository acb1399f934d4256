// The terminal's table.
#include <fmt/core.h>

#include <algorithm>

#include "report/output_text.h"
#include "report/renderings.h"

namespace ringshift {

namespace {
constexpr std::size_t kRowWidth = 17, kCellWidth = 17, kMinimumWidth = 60;

bool has_figures(const ModeResult& result) {
  return std::any_of(result.cells.begin(), result.cells.end(),
                     [](const auto& cell) { return cell.second.measured(); });
}

// "240 ns +-3%", or what stands for it.
std::string cell_text(const ModeResult& result, const std::string& row) {
  const Cell* cell = result.cell(row);
  if (cell == nullptr) return "";
  if (!cell->measured()) return cell->failed.empty() ? "skipped" : "failed";
  const Summary summary = summarize(cell->ns);
  std::string text = time_text(summary.median);
  if (cell->ns.size() > 1) text += fmt::format(" {:>5}", percent_text(summary.spread()));
  return text;
}

std::string table(const Comparison& comparison, const std::vector<const ModeResult*>& modes) {
  std::string text = fmt::format("{:<{}}", "row", kRowWidth);
  for (const ModeResult* mode : modes) text += fmt::format("{:>{}}", mode->mode.id, kCellWidth);
  text += '\n';
  for (const std::string& row : comparison.rows) {
    std::string line = fmt::format("{:<{}}", row, kRowWidth);
    for (const ModeResult* mode : modes) line += fmt::format("{:>{}}", cell_text(*mode, row), kCellWidth);
    text += line + '\n';
  }
  return text;
}
// Each once, behind the modes that have it.
std::string notes(const Comparison& comparison) {
  std::vector<std::pair<std::string, std::string>> by_note;
  for (const ModeResult& result : comparison.modes) {
    if (result.note.empty()) continue;
    const auto known = std::find_if(by_note.begin(), by_note.end(),
                                    [&](const auto& entry) { return entry.first == result.note; });
    if (known == by_note.end())
      by_note.emplace_back(result.note, result.mode.id);
    else
      known->second += ", " + result.mode.id;
  }
  std::string text;
  for (const auto& [note, modes] : by_note) text += fmt::format("{}: {}\n", modes, note);
  return text;
}
}  // namespace

std::string comparison_text(const Comparison& comparison, unsigned width) {
  std::vector<const ModeResult*> shown;
  for (const ModeResult& result : comparison.modes)
    if (has_figures(result)) shown.push_back(&result);
  std::string text = fmt::format(
      "{}\nRuns of each mode, in turn: {}; medians of an operation, and the spread of the runs\n\n",
      comparison.machine, comparison.runs);
  const std::size_t each = (std::max<std::size_t>(width, kMinimumWidth) - kRowWidth) / kCellWidth;
  for (std::size_t at = 0; at < shown.size(); at += each)
    text +=
        table(comparison, {shown.begin() + static_cast<std::ptrdiff_t>(at),
                           shown.begin() + static_cast<std::ptrdiff_t>(std::min(at + each, shown.size()))}) +
        '\n';
  for (const ModeResult& result : comparison.modes)
    if (result.state != ModeState::complete)
      text += fmt::format("{:<{}}{}: {}\n", result.mode.id, kRowWidth, name_of(result.state), result.reason);
  text += notes(comparison);
  for (const std::string& row : comparison.wrong_checksums())
    text += fmt::format("{}: the modes don't agree on its checksum\n", row);
  return text + fmt::format("{:.0f} s in all\n", comparison.took_s);
}

}  // namespace ringshift
