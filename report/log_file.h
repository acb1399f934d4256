// Files that a comparison reads: logs from elsewhere, and what ran in an emulated machine.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "report/comparison.h"

namespace ringshift {

// The first MiB of a file: no guest's log is longer.
Result<std::string> read_log(const std::string& path);

// Each NAME.log of a folder as the mode "tcg.NAME", in order of names; what tests/emulated/era_bench.py
// leaves. None if there is no such folder; what can't be read, or has no results in it, is left out, and so
// are checksums, which depend on the options that era-bench had there.
std::vector<ModeResult> read_emulated_logs(const std::string& folder);

}  // namespace ringshift
