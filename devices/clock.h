// Clock: the one source of time for a machine; every timer, counter and RDTSC reads it.
//
// It counts guest nanoseconds from machine start: host time (devices/host_time.h), or virtual time that
// counts retired instructions (-icount). Timers run on the vCPU's thread, from run_due().
#pragma once

#include <functional>
#include <queue>
#include <vector>

#include "base/tsc_scale.h"
#include "base/types.h"

namespace ringshift {

// Where nanoseconds come from.
class TimeSource {
 public:
  virtual ~TimeSource() = default;
  virtual u64 now_ns() = 0;
  // The TSC, if it is a linear function of the host's: the same time, for readers in a hurry. Changes in
  // follow() only.
  virtual const TscScale* tsc_scale() const { return nullptr; }
  // Called when timers are run: keeps in step with what the source is derived from.
  virtual void follow() {}
  // The machine was stopped: time stands still from pause() to resume().
  virtual void pause() {}
  virtual void resume() {}
};

// One instruction is 2^shift nanoseconds; `retired` is read at each call, `skipped` is added when the guest
// sleeps (time jumps to the next deadline).
class InstructionTime final : public TimeSource {
 public:
  InstructionTime(const u64& retired, unsigned shift) : retired_(retired), shift_(shift) {}
  u64 now_ns() override { return (retired_ << shift_) + skipped_; }
  void skip_to(u64 ns);
  // The value of `retired` at which now_ns() reaches ns.
  u64 retired_at(u64 ns) const {
    return ns <= skipped_ ? 0 : ((ns - skipped_) + ((u64{1} << shift_) - 1)) >> shift_;
  }

 private:
  const u64& retired_;
  unsigned shift_;
  u64 skipped_ = 0;
};

class Clock {
 public:
  static constexpr u64 kNever = ~u64{0};
  static constexpr u64 kTscCountsPerNs = 2;
  static constexpr u64 kTscHz = kTscCountsPerNs * 1'000'000'000;  // the guest's TSC

  explicit Clock(TimeSource& source) : source_(source) {}
  Clock(const Clock&) = delete;

  u64 now_ns() { return source_.now_ns(); }
  u64 tsc();
  const TscScale* tsc_scale() const { return source_.tsc_scale(); }
  // Before the guest starts, and after it was stopped; run_due() does it too.
  void follow() { source_.follow(); }
  // The machine is stopped; nothing becomes due meanwhile. Each once, in turn.
  void pause() { source_.pause(); }
  void resume() { source_.resume(); }

  // A one-shot timer, owned by a device (a member), which must not outlive the clock.
  class Timer {
   public:
    Timer(Clock& clock, std::function<void()> callback);
    ~Timer();
    Timer(const Timer&) = delete;
    void arm(u64 deadline_ns);  // replaces an earlier deadline
    void cancel() { arm(kNever); }
    u64 deadline() const { return deadline_; }

   private:
    friend class Clock;
    Clock& clock_;
    std::function<void()> callback_;
    u64 deadline_ = kNever;
  };

  // The earliest deadline, or kNever.
  u64 next_deadline() const;
  // Runs what is due, earliest first; a callback may arm timers again.
  void run_due();
  // Called when the earliest deadline changes, so that the machine can program the host's timer.
  void on_deadline_change(std::function<void(u64)> callback) { deadline_changed_ = std::move(callback); }

 private:
  void rearmed(u64 old_next);
  TimeSource& source_;
  std::vector<Timer*> timers_;  // few: scanned
  bool running_ = false;        // in run_due(), which tells of a new deadline once, at its end
  std::function<void(u64)> deadline_changed_;
};

// a * b / c without overflow in between, for tick conversions.
constexpr u64 mul_div(u64 a, u64 b, u64 c) {
  return static_cast<u64>(static_cast<unsigned __int128>(a) * b / c);
}

}  // namespace ringshift
