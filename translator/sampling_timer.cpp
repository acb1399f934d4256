// A timer on the CPU time of one thread.
#include "translator/sampling_timer.h"

namespace ringshift::bt {

namespace {

constexpr u64 kPeriodNs = 4'000'000;

int sampling_signal() { return SIGRTMIN + 3; }

void on_sample(int, siginfo_t* info, void*) {
  static_cast<RunControl*>(info->si_value.sival_ptr)->raise_event(kEventSample);
}

}  // namespace

void SamplingTimer::start() {
  if (!timer_.is_of_this_thread())
    timer_.create(CLOCK_THREAD_CPUTIME_ID, sampling_signal(), on_sample, &control_);
  timer_.arm(kPeriodNs, kPeriodNs);
}

void SamplingTimer::stop() {
  timer_.disarm();
  control_.clear_event(kEventSample);
}

}  // namespace ringshift::bt
