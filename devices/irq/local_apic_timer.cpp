// LocalApic's timer: a count-down from the initial count at the bus clock over a divisor (SDM 3A 11.5.4).
#include <algorithm>

#include "base/bits.h"
#include "devices/irq/local_apic.h"
#include "devices/irq/local_apic_bits.h"

namespace ringshift {

using namespace apic;  // NOLINT: bits

namespace {

// A periodic timer interrupts at most this often; of periods that are missed, one is made up for.
constexpr u64 kMinPeriodNs = 20'000;

}  // namespace

// Bits 3, 1 and 0: 000 is 2, 001 is 4, ... 110 is 128, 111 is 1 (figure 11-10).
unsigned LocalApic::timer_divisor() const {
  const unsigned code = (timer_divide_ & 3) | ((timer_divide_ & 8) >> 1);
  return 1u << ((code + 1) & 7);
}

u32 LocalApic::timer_current() {
  if (timer_from_ == 0) return 0;
  const u64 elapsed = (clock_.now_ns() - timer_start_) / timer_divisor();
  if (elapsed < timer_from_) return static_cast<u32>(timer_from_ - elapsed);
  if (!timer_periodic()) return 0;
  return static_cast<u32>(timer_initial_ - (elapsed - timer_from_) % timer_initial_);
}

void LocalApic::start_timer(u32 count) {
  run_expired_timer();
  timer_initial_ = timer_from_ = count;
  timer_start_ = clock_.now_ns();
  arm_timer(timer_start_);
}

void LocalApic::write_divide(u32 value) {
  if (timer_from_ == 0) {  // nothing counts
    timer_divide_ = value & 0xb;
    return;
  }
  run_expired_timer();
  // What is left of the count goes on at the new rate.
  const u32 current = timer_current();
  timer_divide_ = value & 0xb;
  timer_from_ = current;
  timer_start_ = clock_.now_ns();
  arm_timer(timer_start_);
}

// The host may be late: an expiry whose time has come counts before the write that would forget it.
void LocalApic::run_expired_timer() {
  if (timer_due_.deadline() > clock_.now_ns()) return;
  timer_due_.cancel();
  timer_due();
}

// now: the time at which the count was started, if that is just now. A count that is shorter than two looks
// at the clock are apart has not passed yet.
void LocalApic::arm_timer(u64 now) {
  timer_making_up_ = false;
  if (timer_from_ == 0 || (lvt_[timer] & kMasked) != 0) {
    timer_due_.cancel();
    return;
  }
  const u64 elapsed = (now - timer_start_) / timer_divisor();
  u64 counts = timer_from_;
  if (elapsed >= counts) {
    if (!timer_periodic()) {
      timer_due_.cancel();
      return;
    }
    counts += ((elapsed - counts) / timer_initial_ + 1) * timer_initial_;
  }
  timer_due_ns_ = timer_start_ + counts * timer_divisor();
  timer_due_.arm(timer_due_ns_);
}

void LocalApic::timer_due() {
  trigger_lvt(timer);
  if (!timer_periodic()) return;
  const u64 period = u64{timer_initial_} * timer_divisor();
  const u64 now = clock_.now_ns();
  if (!timer_making_up_ && period > 4 * kMinPeriodNs && now >= timer_due_ns_ + period) {
    timer_making_up_ = true;
    timer_due_.arm(now + period / 4);
    return;
  }
  arm_timer(clock_.now_ns());
  if (timer_due_.deadline() != Clock::kNever)
    timer_due_.arm(std::max(timer_due_.deadline(), clock_.now_ns() + kMinPeriodNs));
}

}  // namespace ringshift
