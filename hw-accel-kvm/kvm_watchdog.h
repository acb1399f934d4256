// KvmWatchdog: makes KVM_RUN return (EINTR) every half second, so that a guest which runs on is noticed.
#pragma once

#include <signal.h>
#include <unistd.h>

#include <ctime>

namespace ringshift {

// For the thread that makes it.
class KvmWatchdog {
 public:
  KvmWatchdog() {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    action.sa_flags = SA_ONSTACK;
    ::sigaction(SIGRTMIN + 2, &action, nullptr);
    sigevent event{};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = SIGRTMIN + 2;
    event._sigev_un._tid = ::gettid();
    running_ = ::timer_create(CLOCK_MONOTONIC, &event, &timer_) == 0;
    constexpr long kHalfSecond = 500'000'000;
    const itimerspec period{{0, kHalfSecond}, {0, kHalfSecond}};
    if (running_) ::timer_settime(timer_, 0, &period, nullptr);
  }
  KvmWatchdog(const KvmWatchdog&) = delete;
  ~KvmWatchdog() {
    if (running_) ::timer_delete(timer_);
  }

 private:
  timer_t timer_{};
  bool running_;
};

}  // namespace ringshift
