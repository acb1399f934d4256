// Judging a run, and adding its figures.
#include "report/run_result.h"

#include <fmt/core.h>

namespace ringshift {

namespace {
Cell& cell_of(ModeResult& result, const std::string& row) {
  const auto [at, fresh] = result.cells.try_emplace(row);
  if (fresh) result.order.push_back(row);
  return at->second;
}

void add_cells(ModeResult& result, const GuestLog& log, double scale) {
  for (const LogRow& row : log.rows) {
    Cell& cell = cell_of(result, row.name);
    if (row.median_ns) {
      const double least = *row.minimum_ns * scale;
      cell.least_ns = cell.measured() ? std::min(cell.least_ns, least) : least;
      cell.ns.push_back(*row.median_ns * scale);
    }
    if (!row.checksum.empty()) cell.checksum = row.checksum;
    if (!row.skipped.empty()) cell.skipped = row.skipped;
    if (!row.failed.empty()) cell.failed = row.failed;
  }
  result.malformed += log.malformed;
  if (log.tsc_khz != 0) result.tsc_khz = log.tsc_khz;
}

std::string failed_rows(const GuestLog& log) {
  std::string text;
  for (const LogRow& row : log.rows)
    if (!row.failed.empty()) text += (text.empty() ? "" : "; ") + row.name + ": " + row.failed;
  return text;
}

// Why the run is not what it should be; nothing if it is.
std::string complaint(const RunRecord& run, const Mode& mode, const Workload& workload) {
  using Kind = ChildOutcome::Kind;
  if (!run.log.failure.empty()) return "the guest: " + run.log.failure;
  const bool marked = run.marks.size() == workload.marks.size();
  const bool told_end = run.outcome.kind == Kind::ended || run.log.done;
  if (run.outcome.kind != Kind::ended && run.outcome.kind != Kind::exited) return run.outcome.describe();
  const std::string failed = failed_rows(run.log);
  if (!failed.empty()) return failed;
  const int wanted = mode.judged_by_status ? 1 : 0;
  if (run.outcome.kind == Kind::exited && run.outcome.status != wanted) return run.outcome.describe();
  if (!workload.end_text.empty() && !told_end) return "the guest ended without its last line";
  return marked ? "" : "not every text that was waited for came";
}
}  // namespace

void add_run(ModeResult& result, const RunRecord& run, const Workload& workload) {
  add_cells(result, run.log, run.time_scale);
  for (const MarkTime& mark : run.marks) {
    Cell& cell = cell_of(result, mark.name);
    const double ns = mark.seconds * 1e9;
    cell.least_ns = cell.measured() ? std::min(cell.least_ns, ns) : ns;
    cell.ns.push_back(ns);
  }
  const std::string wrong = complaint(run, result.mode, workload);
  if (wrong.empty()) {
    ++result.runs;
    result.wall_s.push_back(run.outcome.wall_s);
    return;
  }
  bool any = false;
  for (const auto& [name, cell] : result.cells) any = any || cell.measured();
  result.state = any ? ModeState::partial : ModeState::unavailable;
  result.reason = wrong;
}

ModeResult import_log(const std::string& name, const std::string& file, std::string_view text) {
  ModeResult result;
  result.mode = {.id = name, .about = "A log from elsewhere", .family = Family::import, .import_file = file};
  const GuestLog log = parse_guest_log(text);
  add_cells(result, log, 1);
  result.note = log.note;
  if (log.rows.empty()) {
    result.state = ModeState::unavailable;
    result.reason = "the log has no results in it";
  } else if (!log.done) {
    result.state = ModeState::partial;
    result.reason = log.failure.empty() ? "the log ends before 'era done'" : "the guest: " + log.failure;
  }
  result.runs = 1;
  return result;
}

}  // namespace ringshift
