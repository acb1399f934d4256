// Rows of whole processes: forkwait, and the mixed load of processes, page faults and system calls.
#include "era-bench/ops.h"
#include "era-bench/output.h"
#include "era-bench/process.h"
#include "era-bench/rows.h"
#include "era-bench/sampler.h"
#include "era-bench/user.h"

namespace {

// A sampler keeps so many samples only; the sum over all is what the paper gives.
const char* run_forkwait(const Options& options) {
  const u64 begin = read_tsc();
  const u32 failed = run_program(user_forkwait, options.forks);
  const u64 taken = read_tsc() - begin;
  if (failed != 0) report_failure("forkwait", "a wrong exit value");
  report_total("forkwait", taken, options.forks);
  return nullptr;
}

const char* run_mixed(const Options& options) {
  report_checksum("mixed", run_program(user_mixed, options.jobs));
  return nullptr;
}

constexpr Row kRows[] = {{"forkwait", run_forkwait}, {"mixed", run_mixed}};

}  // namespace

Family process_rows() { return family_of(kRows); }
