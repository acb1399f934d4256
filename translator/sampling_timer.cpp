// A POSIX timer on the CPU time of one thread.
#include "translator/sampling_timer.h"

#include <signal.h>
#include <unistd.h>

namespace ringshift::bt {

namespace {

constexpr long kPeriodNs = 4'000'000;

int sampling_signal() { return SIGRTMIN + 3; }

void on_sample(int, siginfo_t* info, void*) {
  static_cast<RunControl*>(info->si_value.sival_ptr)->raise_event(kEventSample);
}

}  // namespace

SamplingTimer::~SamplingTimer() {
  if (thread_ != 0) ::timer_delete(timer_);
}

void SamplingTimer::start() {
  if (const int thread = ::gettid(); thread_ != thread) {
    if (thread_ != 0) ::timer_delete(timer_);
    thread_ = 0;
    struct sigaction action {};
    action.sa_sigaction = on_sample;
    // SA_ONSTACK: in generated code the stack pointer is the guest's (design 2.6).
    action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
    sigfillset(&action.sa_mask);
    sigevent event{};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = sampling_signal();
    event.sigev_value.sival_ptr = &control_;
    event._sigev_un._tid = thread;
    if (::sigaction(sampling_signal(), &action, nullptr) != 0 ||
        ::timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &timer_) != 0)
      return;
    thread_ = thread;
  }
  const itimerspec period{.it_interval = {0, kPeriodNs}, .it_value = {0, kPeriodNs}};
  ::timer_settime(timer_, 0, &period, nullptr);
}

void SamplingTimer::stop() {
  if (thread_ != 0) {
    const itimerspec never{};
    ::timer_settime(timer_, 0, &never, nullptr);
  }
  control_.clear_event(kEventSample);
}

}  // namespace ringshift::bt
