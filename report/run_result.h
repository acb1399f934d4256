// What one run of a mode adds to its result.
#pragma once

#include "report/child_process.h"
#include "report/comparison.h"
#include "report/guest_log.h"

namespace ringshift {

struct MarkTime {
  std::string name;
  double seconds;
};

// time_scale: of the guest's ns (Bochs, whose clock is no clock).
struct RunRecord {
  ChildOutcome outcome;
  GuestLog log;
  std::vector<MarkTime> marks;
  double time_scale = 1;
};

// Adds the run's figures. A run that did not end as it should makes the mode partial, or unavailable if
// nothing was ever measured, with the reason.
void add_run(ModeResult& result, const RunRecord& run, const Workload& workload);

// A log that was made elsewhere.
ModeResult import_log(const std::string& name, const std::string& file, std::string_view text);

}  // namespace ringshift
