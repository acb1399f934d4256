// era-bench: a kernel that measures itself, on hardware or on whatever stands in for it.
//
// After the nanobenchmarks of K. Adams and O. Agesen, "A Comparison of Software and Hardware Techniques for
// x86 Virtualization", ASPLOS 2006. docs/era-bench.md says what each row is.
#include "era-bench/ops.h"
#include "era-bench/output.h"
#include "era-bench/process.h"
#include "era-bench/rows.h"
#include "era-bench/sampler.h"
#include "era-bench/traps.h"

extern "C" void guest_main();

namespace {

void run_family(const Options& options, Family family) {
  for (u32 i = 0; i < family.count; ++i) {
    const Row& row = family.rows[i];
    if (!is_wanted(options, row.name)) continue;
    g_sampler.start(u64{options.ms} * ops::tsc_khz());
    const char* reason = row.run(options);
    if (reason != nullptr)
      report_text(row.name, "skip", reason);
    else if (g_sampler.count() == 0)
      report_failure(row.name, "no sample");
    else
      report(row.name, g_sampler);
  }
}

}  // namespace

void guest_main() {
  ops::start();
  start_frames();
  start_traps();
  start_processes(start_paging());
  const Options options = read_options(ops::options());
  ops::write("# era-bench, interface ");
  ops::write(ops::kInterface);
  ops::write("\n");
  report_fact("tsc-khz", ops::tsc_khz());
  report_fact("ms", options.ms);
  const Family families[] = {basic_rows(),  hardware_rows(),  boundary_rows(), memory_rows(),
                             switch_rows(), interrupt_rows(), process_rows(),  compute_rows()};
  for (const Family family : families) run_family(options, family);
  ops::write("era done\n");
  ops::end(!anything_failed());
}
