// A timer of CPU time that is set once; runs take microseconds, and setting it costs a system call.
#include "tests/differential/endless_watch.h"

#include <signal.h>
#include <sys/time.h>

#include <atomic>

namespace ringshift::differential {

namespace {

constexpr unsigned kTicks = 2;
std::atomic<RunControl*> g_control{nullptr};
std::atomic<unsigned> g_ticks{0};

void on_tick(int) {
  RunControl* const control = g_control.load();
  if (control != nullptr && ++g_ticks == kTicks) control->raise_event(kEventExit);
}

void begin_ticks() {
  struct sigaction action {};
  action.sa_handler = on_tick;
  action.sa_flags = SA_ONSTACK | SA_RESTART;  // ESP is in RSP while translated code runs
  sigaction(SIGPROF, &action, nullptr);
  const itimerval every_second = {{1, 0}, {1, 0}};
  setitimer(ITIMER_PROF, &every_second, nullptr);
}

}  // namespace

EndlessWatch::EndlessWatch(RunControl& control) {
  static const bool once = (begin_ticks(), true);
  (void)once;
  g_ticks = 0;
  g_control = &control;
}

EndlessWatch::~EndlessWatch() { g_control = nullptr; }

bool EndlessWatch::ended() const { return g_ticks >= kTicks; }

}  // namespace ringshift::differential
