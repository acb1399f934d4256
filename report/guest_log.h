// GuestLog: what a guest printed to its serial port, as rows of results.
//
// Two formats: era-bench's lines (docs/era-bench.md) and those of bench/guest-suite ("row NAME GROUP NS
// CHECKSUM"). The text comes from a guest or from a file that a reader was given: nothing in it is trusted.
// Names are of a small alphabet, numbers are finite, texts are short and printable, and there are only so
// many rows.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"

namespace ringshift {

struct LogRow {
  std::string name;
  // Of one operation; minimum and median of the samples that the guest took.
  std::optional<double> minimum_ns, median_ns, median_cycles;
  std::string checksum;
  std::string skipped, failed;  // why
};

struct GuestLog {
  std::vector<LogRow> rows;  // in the order in which they came
  std::string failure;       // "era kernel failed REASON"
  std::string note;          // "# note TEXT": what whoever made the log wants to be known of it
  u64 tsc_khz = 0;           // 0: not told
  bool done = false;
  unsigned malformed = 0;  // lines that look like results and aren't

  const LogRow* find(std::string_view name) const;
};

GuestLog parse_guest_log(std::string_view text);

// Whether a name may stand in a table, a file or a command line as it is.
bool is_plain_name(std::string_view name);
// At most so many characters, all of them printable ASCII; others become '?'.
std::string printable(std::string_view text, std::size_t most = 160);

}  // namespace ringshift
