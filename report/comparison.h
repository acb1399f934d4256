// Comparison: what was measured, of which modes, where, and by which commands.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/types.h"
#include "report/mode.h"
#include "report/summary.h"

namespace ringshift {

// One row in one mode.
struct Cell {
  std::vector<double> ns;  // a figure for each run: the guest's own median
  double least_ns = 0;     // the least that any run saw
  std::string checksum, skipped, failed;
  bool measured() const { return !ns.empty(); }
};

// What one kind of exit of an engine costs, and how often it came.
struct ExitCost {
  std::string reason;
  u64 count = 0;  // in the run of all rows
  std::optional<double>
      most_ns;              // time for one, with the guest's own work around it, where a row is about it
  std::string measured_in;  // that row
};

// Exits of one operation of a row, by reason.
using RowExits = std::map<std::string, double>;

// Where an engine's time goes; from runs with -stats, apart from the timed ones.
struct Profile {
  double wall_s = 0, vcpu_s = 0, halted_s = 0;
  std::optional<double> translation_s;
  u64 instructions = 0;
  std::vector<ExitCost> exits;
  std::map<std::string, RowExits> rows;
  nlohmann::ordered_json stats;  // of the run of all rows
};

enum class ModeState { complete, partial, unavailable };

struct ModeResult {
  Mode mode;
  ModeState state = ModeState::complete;
  std::string reason;  // why not complete
  std::string note;    // what a reader of its figures must know
  std::string version;
  unsigned runs = 0;
  std::vector<double> wall_s;  // of each run, start and end of the monitor included
  u64 tsc_khz = 0;
  unsigned malformed = 0;  // lines that looked like results
  std::map<std::string, Cell> cells;
  std::vector<std::string> order;  // of the cells: as they came
  std::optional<Profile> profile;

  const Cell* cell(const std::string& row) const {
    const auto found = cells.find(row);
    return found == cells.end() ? nullptr : &found->second;
  }
};

struct Comparison {
  Workload workload;
  unsigned runs = 0;
  std::string version, made_at, command;  // of Ringshift; UTC; to repeat it
  double took_s = 0;
  std::string machine;            // in a line
  nlohmann::ordered_json doctor;  // `ringshift doctor --json`; null if it said nothing
  std::string rig;                // what the KVM rig found (--rig FILE); empty: nothing is known
  std::vector<std::string> rows;  // in the order in which they came first
  std::vector<ModeResult> modes;

  // Rows whose checksums aren't the same wherever they were computed.
  std::vector<std::string> wrong_checksums() const;
};

const char* name_of(ModeState state);

}  // namespace ringshift
