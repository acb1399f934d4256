// Clock, its timers, and virtual time.
#include "devices/clock.h"

#include <x86intrin.h>

#include <algorithm>

namespace ringshift {

void InstructionTime::skip_to(u64 ns) {
  const u64 now = now_ns();
  if (ns > now) skipped_ += ns - now;
}

Clock::Timer::Timer(Clock& clock, std::function<void()> callback)
    : clock_(clock), callback_(std::move(callback)) {
  clock_.timers_.push_back(this);
}

Clock::Timer::~Timer() {
  cancel();
  std::erase(clock_.timers_, this);
}

void Clock::Timer::arm(u64 deadline_ns) {
  if (deadline_ns == deadline_) return;
  const u64 old_next = clock_.next_deadline();
  deadline_ = deadline_ns;
  clock_.rearmed(old_next);
}

u64 Clock::tsc() {
  const TscScale* const scale = tsc_scale();
  return scale != nullptr ? scale->at(__rdtsc()) : now_ns() * kTscCountsPerNs;
}

u64 Clock::next_deadline() const {
  u64 next = kNever;
  for (const Timer* timer : timers_) next = std::min(next, timer->deadline_);
  return next;
}

void Clock::rearmed(u64 old_next) {
  if (running_ || !deadline_changed_) return;
  const u64 next = next_deadline();
  if (next != old_next) deadline_changed_(next);
}

void Clock::run_due() {
  if (running_) return;
  source_.follow();
  const u64 now = now_ns();
  const u64 old_next = next_deadline();
  if (old_next > now) return;
  running_ = true;
  // A device that arms for a time that has passed runs again at the next call, not for ever in this one.
  for (std::size_t budget = 2 * timers_.size(); budget > 0; --budget) {
    Timer* due = nullptr;
    for (Timer* timer : timers_) {
      if (timer->deadline_ <= now && (due == nullptr || timer->deadline_ < due->deadline_)) due = timer;
    }
    if (due == nullptr) break;
    due->deadline_ = kNever;
    due->callback_();
  }
  running_ = false;
  rearmed(old_next);
}

}  // namespace ringshift
