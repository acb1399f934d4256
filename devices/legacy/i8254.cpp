// I8254: the interval timer's ports, and counter 0's interrupts.
#include "devices/legacy/i8254.h"

#include <algorithm>

#include "base/bits.h"

namespace ringshift {

I8254::I8254(Clock& clock, InterruptLine irq0)
    : clock_(clock), irq0_(irq0), timer_(clock, [this] { timer_due(); }) {
  reset();
}

Result<void> I8254::attach(IoBus& bus) { return bus.insert(0x40, 4, *this, "pit"); }

u64 I8254::now_ticks() { return PitCounter::ticks_at(clock_.now_ns()); }

void I8254::reset() {
  counters_[0].reset(true);
  counters_[1].reset(true);
  counters_[2].reset(false);
  timer_.cancel();
  irq0_.set(false);
}

void I8254::save(StateWriter& out) const {
  for (const PitCounter& counter : counters_) counter.save(out);
  out.put(static_cast<u8>(irq0_.level()));
  out.put(timer_.deadline());
  out.put(due_ns_);
  out.put(static_cast<u8>(making_up_));
}

void I8254::restore(StateReader& in) {
  for (PitCounter& counter : counters_) counter.restore(in);
  u8 level = 0;
  u64 deadline = Clock::kNever;
  in.get(level);
  in.get(deadline);
  in.get(due_ns_);
  u8 making_up = 0;
  in.get(making_up);
  making_up_ = making_up != 0;
  irq0_.set(level != 0);
  timer_.arm(in.failed() ? Clock::kNever : deadline);
}

void I8254::set_gate2(bool level) { counters_[2].set_gate(level, now_ticks()); }

bool I8254::output2() { return counters_[2].output(now_ticks()); }

void I8254::follow_counter0() {
  const u64 now_ns = clock_.now_ns();
  const u64 now = PitCounter::ticks_at(now_ns);
  PitCounter& counter = counters_[0];
  irq0_.set(counter.output(now));
  making_up_ = false;
  arm_for(counter.next_rising_edge(now), now_ns);
}

void I8254::arm_for(u64 edge, u64 now_ns) {
  if (edge == PitCounter::kNever) {
    timer_.cancel();
    return;
  }
  due_ns_ = PitCounter::ns_of(edge);
  timer_.arm(std::max(due_ns_, now_ns + kMinPeriodNs));
}

void I8254::timer_due() {
  irq0_.set(false);
  irq0_.set(true);
  const u64 now_ns = clock_.now_ns();
  const u64 period_ns = PitCounter::ns_of(counters_[0].period());
  // More edges may have passed, with the host busy or interrupts held off. One is made up for, a little
  // later, so that guests which count ticks lose few of them; the rest are merged.
  if (!making_up_ && period_ns > 4 * kMinPeriodNs && now_ns >= due_ns_ + period_ns) {
    making_up_ = true;
    timer_.arm(now_ns + period_ns / 4);
    return;
  }
  making_up_ = false;
  arm_for(counters_[0].next_rising_edge(PitCounter::ticks_at(now_ns)), now_ns);
}

u32 I8254::port_read(u16 port, unsigned) {
  const unsigned index = port & 3;
  return index == 3 ? 0xff : counters_[index].read(now_ticks());
}

void I8254::port_write(u16 port, unsigned, u32 value) {
  const u8 byte = static_cast<u8>(value);
  const unsigned index = port & 3;
  if (index == 3) {
    write_control(byte);
    return;
  }
  counters_[index].write(byte, now_ticks());
  if (index == 0) follow_counter0();
}

void I8254::write_control(u8 value) {
  const u64 now = now_ticks();
  const unsigned index = value >> 6;
  if (index == 3) {  // Read-back: bits 1-3 choose counters, bits 5 and 4 low latch count and status.
    for (unsigned i = 0; i < 3; ++i) {
      if (!has_bit(value, i + 1)) continue;
      if (!has_bit(value, 5)) counters_[i].latch_count(now);
      if (!has_bit(value, 4)) counters_[i].latch_status(now);
    }
    return;
  }
  if ((value & 0x30) == 0) {
    counters_[index].latch_count(now);
    return;
  }
  counters_[index].write_control(value, now);
  if (index == 0) follow_counter0();
}

}  // namespace ringshift
