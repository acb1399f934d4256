// CaseWatch: the timer is set anew every thousand cases, which costs a system call. It counts CPU time: a
// program that others keep from running is not one that doesn't end.
#include "tests/differential/case_watch.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include "base/check.h"

namespace ringshift::differential {

namespace {

volatile u64 g_number = 0;
volatile u64 g_seed = 0;
constexpr time_t kSeconds = 20;

void on_alarm(int) {
  char text[128];
  const auto end =
      fmt::format_to_n(text, sizeof text, "FAIL --seed {} --first {} --count 1 --print: does not end\n",
                       u64{g_seed}, u64{g_number});
  if (write(STDOUT_FILENO, text, end.size) < 0) _exit(4);
  _exit(3);
}

}  // namespace

CaseWatch::CaseWatch(u64 seed) {
  g_seed = seed;
  struct sigaction action {};
  action.sa_handler = on_alarm;
  action.sa_flags = SA_ONSTACK;
  sigaction(SIGALRM, &action, nullptr);
  sigevent event{};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGALRM;
  RS_CHECK(timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &timer_) == 0);
}

CaseWatch::~CaseWatch() { timer_delete(timer_); }

void CaseWatch::begin(u64 number) {
  g_number = number;
  if (begun_++ % 1024 == 0) rest();
}

void CaseWatch::rest() {
  const itimerspec time{.it_interval = {}, .it_value = {kSeconds, 0}};
  timer_settime(timer_, 0, &time, nullptr);
}

}  // namespace ringshift::differential
