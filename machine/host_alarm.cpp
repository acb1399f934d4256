// The per-thread POSIX timer behind the guest's timers.
#include "machine/host_alarm.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace ringshift {

namespace {
int alarm_signal() { return SIGRTMIN + 1; }

void on_alarm(int, siginfo_t* info, void*) {
  static_cast<RunControl*>(info->si_value.sival_ptr)->raise_event(kEventService);
}
}  // namespace

Result<void> HostAlarm::start() {
  struct sigaction action {};
  action.sa_sigaction = on_alarm;
  // SA_ONSTACK: in generated code the stack pointer is the guest's (design 2.6).
  action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
  sigfillset(&action.sa_mask);
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = alarm_signal();
  event.sigev_value.sival_ptr = &control_;
  event._sigev_un._tid = ::gettid();
  if (::sigaction(alarm_signal(), &action, nullptr) != 0 ||
      ::timer_create(CLOCK_MONOTONIC, &event, &timer_) != 0)
    return fail(ErrorKind::internal, "cannot make a timer: {}", std::strerror(errno));
  running_ = true;
  return {};
}

void HostAlarm::stop() {
  if (!running_) return;
  running_ = false;
  ::timer_delete(timer_);
}

void HostAlarm::arm(u64 delta_ns) {
  if (delta_ns == 0) return control_.raise_event(kEventService);
  if (!running_) return;
  constexpr u64 kSecond = 1'000'000'000;
  constexpr u64 kLongest = kSecond * 3600 * 24 * 365;
  delta_ns = std::min(delta_ns, kLongest);
  itimerspec when{};
  when.it_value.tv_sec = static_cast<time_t>(delta_ns / kSecond);
  when.it_value.tv_nsec = static_cast<long>(delta_ns % kSecond);
  ::timer_settime(timer_, 0, &when, nullptr);
}

void HostAlarm::disarm() {
  if (!running_) return;
  const itimerspec never{};
  ::timer_settime(timer_, 0, &never, nullptr);
}

}  // namespace ringshift
