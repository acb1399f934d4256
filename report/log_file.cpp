// Reading logs.
#include "report/log_file.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "report/guest_log.h"
#include "report/run_result.h"

namespace ringshift {

namespace {
constexpr std::size_t kMostBytes = 1 << 20;
constexpr std::size_t kMostLogs = 16;
}  // namespace

Result<std::string> read_log(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(ErrorKind::input_file, "cannot read {}", path);
  std::string text(kMostBytes, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) return fail(ErrorKind::input_file, "cannot read {}", path);  // a directory can be opened
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

std::vector<ModeResult> read_emulated_logs(const std::string& folder) {
  std::vector<ModeResult> logs;
  std::error_code error;
  using Iterator = std::filesystem::directory_iterator;
  for (Iterator at(folder, error); at != Iterator() && logs.size() < kMostLogs; at.increment(error)) {
    const std::filesystem::path path = at->path();
    const std::string name = "tcg." + path.stem().string();
    if (path.extension() != ".log" || !is_plain_name(name)) continue;
    const auto text = read_log(path.string());
    if (!text) continue;
    ModeResult log = import_log(name, path.string(), *text);
    // Judged where they were made; by the options there, on which that of `mixed` depends.
    for (auto& [row, cell] : log.cells) cell.checksum.clear();
    if (log.state != ModeState::unavailable) logs.push_back(std::move(log));
  }
  std::sort(logs.begin(), logs.end(),
            [](const ModeResult& a, const ModeResult& b) { return a.mode.id < b.mode.id; });
  return logs;
}

}  // namespace ringshift
