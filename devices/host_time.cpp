// Measuring the host's TSC against CLOCK_MONOTONIC, and following it.
#include "devices/host_time.h"

#include <cpuid.h>
#include <x86intrin.h>

#include <algorithm>
#include <utility>

#include "base/host_clock.h"

namespace ringshift {

namespace {

constexpr u64 kCountsPerNs = Clock::kTscCountsPerNs;
// The least time that a rate is measured over: a pair of readings is good to some 50 ns.
constexpr u64 kFirstMeasureNs = 1'000'000;
// An error is worked off over this time; the rate is bent by one part in kMostBend at most.
constexpr u64 kCorrectOverNs = 100'000'000;
constexpr u64 kMostBend = 2000;
constexpr u64 kFollowEveryNs = 5'000'000;
// Beyond this the host slept, or this process was stopped with its clocks: time jumps, as the host's did.
constexpr u64 kJumpNs = 1'000'000'000;

// Invariant TSC (SDM vol. 3B 17.17.1).
bool tsc_is_constant() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid(0x80000007, &eax, &ebx, &ecx, &edx) != 0 && (edx & (1u << 8)) != 0;
}

u64 rate_of(u64 guest_counts, u64 host_counts) {
  return static_cast<u64>((static_cast<unsigned __int128>(guest_counts) << 32) / host_counts);
}

}  // namespace

// The reading with the least time around it, of a few: the thread may be interrupted in between.
HostTime::Sample HostTime::sample() {
  Sample best{};
  u64 best_width = ~u64{0};
  for (int i = 0; i < 4; ++i) {
    const u64 before = __rdtsc();
    const u64 ns = host_clock_ns();
    const u64 width = __rdtsc() - before;
    if (width >= best_width) continue;
    best_width = width;
    best = {ns, before + width / 2};
  }
  return best;
}

HostTime::HostTime() : anchor_(sample()), start_ns_(anchor_.ns), trusted_(tsc_is_constant()) {}

u64 HostTime::now_ns() {
  if (active_) return scale_.at(__rdtsc()) / kCountsPerNs;
  return (paused_ ? paused_->ns : host_clock_ns()) - start_ns_;
}

void HostTime::begin() {
  Sample now = sample();
  while (now.ns - anchor_.ns < kFirstMeasureNs) now = sample();
  if (now.tsc <= anchor_.tsc) {
    trusted_ = false;
    return;
  }
  scale_.host_base = now.tsc;
  scale_.guest_base = (now.ns - start_ns_) * kCountsPerNs;
  scale_.rate = rate_of((now.ns - anchor_.ns) * kCountsPerNs, now.tsc - anchor_.tsc);
  active_ = true;
}

// From `now` on at the rate measured so far, bent by what makes good the error; no step, so that
// what the guest read before stays in the past.
void HostTime::correct(const Sample& now) {
  const u64 wanted = (now.ns - start_ns_) * kCountsPerNs;
  const u64 shown = scale_.at(now.tsc);
  scale_.host_base = now.tsc;
  const auto error = static_cast<i64>(wanted - shown);
  const bool host_slept = now.tsc <= anchor_.tsc;  // and its TSC began anew
  if (host_slept || error > static_cast<i64>(kJumpNs * kCountsPerNs)) {
    scale_.guest_base = host_slept ? wanted : std::max(wanted, shown);
    anchor_ = now;
    return;
  }
  scale_.guest_base = shown;
  const u64 rate = rate_of((now.ns - anchor_.ns) * kCountsPerNs, now.tsc - anchor_.tsc);
  const auto most = static_cast<i64>(rate / kMostBend);
  const i64 bend = static_cast<i64>(static_cast<__int128>(error) * static_cast<i64>(rate) /
                                    static_cast<i64>(kCorrectOverNs * kCountsPerNs));
  scale_.rate = rate + static_cast<u64>(std::clamp(bend, -most, most));
}

void HostTime::follow() {
  if (!trusted_ || paused_) return;
  if (!active_) return begin();
  const u64 since = scale_.at(__rdtsc()) - scale_.guest_base;
  if (since >= kFollowEveryNs * kCountsPerNs) correct(sample());
}

// A scale of rate 0: whoever reads it sees time stand still.
void HostTime::pause() {
  if (paused_) return;
  paused_ = sample();
  if (!active_) return;
  scale_.guest_base = scale_.at(paused_->tsc);
  scale_.host_base = paused_->tsc;
  rate_before_ = std::exchange(scale_.rate, 0);
}

void HostTime::resume() {
  if (!paused_) return;
  const Sample now = sample();
  start_ns_ += now.ns - paused_->ns;
  paused_.reset();
  if (!active_) return;
  scale_.host_base = now.tsc;
  scale_.rate = rate_before_;
}

}  // namespace ringshift
