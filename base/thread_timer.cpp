// ThreadTimer by timer_create(SIGEV_THREAD_ID).
#include "base/thread_timer.h"

#include <unistd.h>

#include <algorithm>

namespace ringshift {

namespace {

timespec to_timespec(u64 ns) {
  constexpr u64 kSecond = 1'000'000'000;
  constexpr u64 kLongest = kSecond * 3600 * 24 * 365;
  ns = std::min(ns, kLongest);
  return {.tv_sec = static_cast<time_t>(ns / kSecond), .tv_nsec = static_cast<long>(ns % kSecond)};
}

}  // namespace

bool ThreadTimer::create(clockid_t clock, int signal, Handler handler, void* value) {
  destroy();
  struct sigaction action {};
  action.sa_sigaction = handler;
  action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
  sigfillset(&action.sa_mask);
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = signal;
  event.sigev_value.sival_ptr = value;
  event._sigev_un._tid = ::gettid();
  if (::sigaction(signal, &action, nullptr) != 0 || ::timer_create(clock, &event, &timer_) != 0) return false;
  thread_ = ::gettid();
  return true;
}

void ThreadTimer::destroy() {
  if (thread_ != 0) ::timer_delete(timer_);
  thread_ = 0;
}

bool ThreadTimer::is_of_this_thread() const { return thread_ == ::gettid(); }

void ThreadTimer::arm(u64 first_ns, u64 period_ns) {
  if (thread_ == 0) return;
  const itimerspec when{.it_interval = to_timespec(period_ns), .it_value = to_timespec(first_ns)};
  ::timer_settime(timer_, 0, &when, nullptr);
}

}  // namespace ringshift
