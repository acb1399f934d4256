// HostTime: the host's monotonic time, read from its TSC where that can be trusted.
//
// RDTSC costs a third of clock_gettime, and translated code can execute it itself. So guest time is a linear
// function of the host's TSC, whose rate follows CLOCK_MONOTONIC: measured when the machine starts to run,
// and corrected by follow(), smoothly, so that time never goes back or jumps by more than the host's did.
#pragma once

#include <optional>

#include "base/tsc_scale.h"
#include "devices/clock.h"

namespace ringshift {

class HostTime final : public TimeSource {
 public:
  // Nanoseconds count from here.
  HostTime();

  u64 now_ns() override;
  // In counts of Clock::kTscHz. Null before the first follow(), or for ever where the host's TSC isn't
  // constant: then time is CLOCK_MONOTONIC.
  const TscScale* tsc_scale() const override { return active_ ? &scale_ : nullptr; }
  // Compares with CLOCK_MONOTONIC and corrects the rate. Cheap enough for every timer tick.
  void follow() override;
  void pause() override;
  void resume() override;

 private:
  struct Sample {
    u64 ns;
    u64 tsc;
  };
  static Sample sample();
  void begin();
  void correct(const Sample& now);

  Sample anchor_;  // what rates are measured from
  u64 start_ns_;
  TscScale scale_;
  bool trusted_;
  bool active_ = false;
  std::optional<Sample> paused_;  // since then
  u64 rate_before_ = 0;           // scale_.rate, but for the pause
};

}  // namespace ringshift
