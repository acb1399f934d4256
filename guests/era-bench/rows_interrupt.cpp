// Rows of the timer: how late its interrupt is, in a loop with IF set, and out of HLT.
//
// A sample is from the instant at which the timer was due to the handler's RDTSC. The 8254 counts in steps of
// 838 ns, so that much is uncertain; under a virtual machine the host's own timers dominate.
#include "era-bench/ops.h"
#include "era-bench/output.h"
#include "era-bench/rows.h"
#include "era-bench/sampler.h"
#include "era-bench/traps.h"
#include "runtime/cpu.h"

namespace {

constexpr u32 kMicroseconds = 200;
bool g_timer_comes = true;

void spin(u64 give_up) {
  ops::enable_interrupts();
  while (g_timer_at == 0 && read_tsc() < give_up) {
  }
  ops::disable_interrupts();
}

void halt(u64) {
  while (g_timer_at == 0) ops::idle();
}

const char* measure(const Options& options, void (*wait)(u64)) {
  const u32 samples = 5 + options.ms;
  for (u32 i = 0; i < samples && g_timer_comes; ++i) {
    g_timer_at = 0;
    const u64 due = ops::arm_timer(kMicroseconds);
    wait(due + u64{ops::tsc_khz()} * 500);
    if (g_timer_at == 0) g_timer_comes = false;
    g_sampler.add(g_timer_at > due ? g_timer_at - due : 0);
  }
  return g_timer_comes ? nullptr : "no timer interrupt in half a second";
}

const char* run_spin(const Options& options) { return measure(options, spin); }

// HLT could last for ever without a timer, so the first row must have seen one.
const char* run_halt(const Options& options) {
  g_timer_at = 0;
  spin(ops::arm_timer(kMicroseconds) + u64{ops::tsc_khz()} * 500);
  if (g_timer_at == 0) return "no timer interrupt in half a second";
  return measure(options, halt);
}

constexpr Row kRows[] = {{"timer", run_spin}, {"hlt-wake", run_halt}};

}  // namespace

Family interrupt_rows() { return family_of(kRows); }
