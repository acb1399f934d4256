// Rows of context switches: two programs in address spaces of their own, at 0 and 64 KiB of working set.
//
// After L. McVoy and C. Staelin, "lmbench", USENIX 1996, lat_ctx: the larger the working set, the more of a
// switch is the refilling of TLB and caches. One operation is a switch to the other and back, with both
// working sets touched.
#include "era-bench/process.h"
#include "era-bench/rows.h"
#include "era-bench/sampler.h"
#include "era-bench/user.h"

namespace {

const char* run_switch(u32 bytes) {
  create_process(user_switch, bytes);
  create_process(user_partner, bytes);
  wait_for_child();
  wait_for_child();
  return nullptr;
}

const char* run_empty(const Options&) { return run_switch(0); }
const char* run_64k(const Options&) { return run_switch(64 << 10); }

constexpr Row kRows[] = {{"switch-0", run_empty}, {"switch-64k", run_64k}};

}  // namespace

Family switch_rows() { return family_of(kRows); }
