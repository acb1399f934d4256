// Rows of computation at CPL 3, where no kernel is needed: the paper's SPECint, in five small kernels.
//
// The kernel never switches x87 and SSE state: one program runs at a time here.
#include "era-bench/output.h"
#include "era-bench/process.h"
#include "era-bench/rows.h"
#include "era-bench/user.h"
#include "runtime/cpu.h"

namespace {

const char* run_kernel(const char* name, u32 (*program)(u32)) {
  report_checksum(name, run_program(program, 0));
  return nullptr;
}

const char* run_integer(const Options&) { return run_kernel("compute-integer", user_compute_integer); }
const char* run_x87(const Options&) { return run_kernel("compute-x87", user_compute_x87); }
const char* run_sse(const Options&) {
  if (!has_feature(kFeatureSse)) return "no SSE in CPUID";
  return run_kernel("compute-sse", user_compute_sse);
}
const char* run_stream(const Options&) { return run_kernel("compute-stream", user_compute_stream); }
const char* run_chase(const Options&) { return run_kernel("compute-chase", user_compute_chase); }

constexpr Row kRows[] = {{"compute-integer", run_integer},
                         {"compute-x87", run_x87},
                         {"compute-sse", run_sse},
                         {"compute-stream", run_stream},
                         {"compute-chase", run_chase}};

}  // namespace

Family compute_rows() { return family_of(kRows); }
