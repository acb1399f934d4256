// A timer of CPU time that is set once; runs take microseconds, and setting it costs a system call.
#include "tests/differential/endless_watch.h"

#include <signal.h>
#include <sys/time.h>

#include <atomic>

namespace ringshift::differential {

namespace {

std::atomic<RunControl*> g_control{nullptr};
std::atomic<unsigned> g_ticks_left{0};

void on_tick(int) {
  RunControl* const control = g_control.load();
  if (control != nullptr && g_ticks_left != 0 && --g_ticks_left == 0) control->raise_event(kEventExit);
}

void begin_ticks() {
  struct sigaction action {};
  action.sa_handler = on_tick;
  action.sa_flags = SA_ONSTACK | SA_RESTART;  // ESP is in RSP while translated code runs
  sigaction(SIGPROF, &action, nullptr);
  constexpr timeval kTick = {0, 1000000 / EndlessWatch::kTicksPerSecond};
  const itimerval ticks = {kTick, kTick};
  setitimer(ITIMER_PROF, &ticks, nullptr);
}

}  // namespace

EndlessWatch::EndlessWatch(RunControl& control, unsigned ticks) {
  static const bool once = (begin_ticks(), true);
  (void)once;
  g_ticks_left = ticks;
  g_control = &control;
}

EndlessWatch::~EndlessWatch() { g_control = nullptr; }

bool EndlessWatch::ended() const { return g_ticks_left == 0; }

}  // namespace ringshift::differential
