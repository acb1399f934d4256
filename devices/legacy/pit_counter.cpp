// PitCounter: one counter of an 8254, as a function of time in ticks of its clock.
#include "devices/legacy/pit_counter.h"

#include "base/bits.h"
#include "devices/clock.h"

namespace ringshift {

namespace {

constexpr u64 kSecond = 1'000'000'000;

constexpr bool periodic(u8 mode) { return mode == 2 || mode == 3; }
constexpr bool triggered_by_gate(u8 mode) { return mode == 1 || mode == 5; }

}  // namespace

u64 PitCounter::ticks_at(u64 ns) { return mul_div(ns, kHz, kSecond); }

u64 PitCounter::ns_of(u64 tick) {
  return static_cast<u64>((static_cast<unsigned __int128>(tick) * kSecond + kHz - 1) / kHz);
}

void PitCounter::reset(bool gate) {
  *this = PitCounter();
  gate_ = gate;
}

void PitCounter::save(StateWriter& out) const {
  for (const u8 value : {mode_, access_, write_low_, latched_bytes_, status_}) out.put(value);
  for (const bool value :
       {bcd_, gate_, loaded_, started_, running_, write_high_next_, read_high_next_, status_latched_})
    out.put(static_cast<u8>(value));
  out.put(initial_);
  out.put(waiting_);
  out.put(start_);
  out.put(paused_at_);
  out.put(latched_);
}

void PitCounter::restore(StateReader& in) {
  for (u8* value : {&mode_, &access_, &write_low_, &latched_bytes_, &status_}) in.get(*value);
  for (bool* value : {&bcd_, &gate_, &loaded_, &started_, &running_, &write_high_next_, &read_high_next_,
                      &status_latched_}) {
    u8 byte = 0;
    in.get(byte);
    *value = byte != 0;
  }
  in.get(initial_);
  in.get(waiting_);
  in.get(start_);
  in.get(paused_at_);
  in.get(latched_);
  if (initial_ == 0 || initial_ > 0x10000) initial_ = 0x10000;
}

// A count of 0 is the largest: 10000h, or 10,000 in BCD.
u32 PitCounter::decode(u16 value) const {
  if (value == 0) return modulus();
  if (!bcd_) return value;
  u32 count = 0;
  for (int digit = 3; digit >= 0; --digit) count = count * 10 + ((value >> (4 * digit)) & 0xf);
  return count;
}

u16 PitCounter::encode(u32 count) const {
  if (!bcd_) return static_cast<u16>(count);
  u32 value = 0;
  for (int digit = 0; digit < 4; ++digit, count /= 10) value |= (count % 10) << (4 * digit);
  return static_cast<u16>(value);
}

void PitCounter::write_control(u8 value, u64) {
  const bool gate = gate_;
  *this = PitCounter();
  gate_ = gate;
  access_ = (value >> 4) & 3;
  mode_ = (value >> 1) & 7;
  if (mode_ > 5) mode_ &= 3;  // 6 and 7 are 2 and 3.
  bcd_ = has_bit(value, 0);
}

void PitCounter::write(u8 value, u64 now) {
  advance(now);
  switch (access_) {
    case 1:
      load(value, now);
      break;
    case 2:
      load(static_cast<u16>(value << 8), now);
      break;
    default:
      if (!write_high_next_) {
        write_low_ = value;
        // Mode 0: the first byte stops the counting (and OUT stays low).
        if (mode_ == 0 && loaded_) {
          paused_at_ = 0;
          running_ = false;
          started_ = false;
        }
      } else {
        load(static_cast<u16>(value << 8 | write_low_), now);
      }
      write_high_next_ = !write_high_next_;
  }
}

void PitCounter::load(u16 value, u64 now) {
  u32 count = decode(value);
  if (periodic(mode_) && count == 1) count = 2;  // 1 is illegal in these modes.
  const bool first = !loaded_;
  loaded_ = true;
  if (triggered_by_gate(mode_)) {  // Used from the next trigger on.
    if (started_)
      waiting_ = count;
    else
      initial_ = count;
    return;
  }
  if (periodic(mode_) && !first && running_) {  // Used from the next period on.
    start_ += (now - start_) / initial_ * initial_;
    waiting_ = count;
    return;
  }
  initial_ = count;
  waiting_ = 0;
  started_ = true;
  running_ = gate_;
  start_ = now;
  paused_at_ = 0;
}

void PitCounter::advance(u64 now) {
  if (waiting_ == 0 || !periodic(mode_) || !running_) return;
  const u64 passed = now - start_;  // load() moved start_ to the period in which the count was written.
  if (passed < initial_) return;
  start_ += passed - passed % initial_;
  initial_ = waiting_;
  waiting_ = 0;
}

void PitCounter::set_gate(bool level, u64 now) {
  if (level == gate_) return;
  advance(now);
  gate_ = level;
  if (level && triggered_by_gate(mode_)) {
    if (!loaded_) return;
    if (waiting_ != 0) initial_ = waiting_;
    waiting_ = 0;
    started_ = running_ = true;
    start_ = now;
    return;
  }
  if (triggered_by_gate(mode_) || !started_) return;
  if (level) {
    // Modes 2 and 3 begin a new period, 0 and 4 go on.
    if (periodic(mode_)) {
      if (waiting_ != 0) initial_ = waiting_;
      waiting_ = 0;
      paused_at_ = 0;
    }
    start_ = now - paused_at_;
    running_ = true;
  } else {
    paused_at_ = elapsed(now);
    running_ = false;
  }
}

u32 PitCounter::count(u64 now) const {
  if (!loaded_) return 0;
  if (!started_) return initial_ % modulus();
  const u64 ticks = elapsed(now);
  switch (mode_) {
    case 2:
      return static_cast<u32>(initial_ - ticks % initial_) % modulus();
    case 3:  // Counts by two.
      return static_cast<u32>(initial_ - 2 * ticks % initial_) % modulus() & ~u32{bcd_ ? 0u : 1u};
    default:
      return static_cast<u32>((initial_ + modulus() - ticks % modulus()) % modulus());
  }
}

bool PitCounter::output_at(u64 ticks) const {
  switch (mode_) {
    case 0:
      return started_ && ticks >= initial_;
    case 1:
      return !started_ || ticks >= initial_;
    case 2:
      return !running_ || ticks % initial_ != initial_ - 1;
    case 3:
      return !running_ || ticks % initial_ < (initial_ + 1) / 2;
    default:  // A strobe of one tick.
      return !started_ || ticks != initial_;
  }
}

bool PitCounter::output(u64 now) {
  advance(now);
  return output_at(elapsed(now));
}

u64 PitCounter::next_rising_edge(u64 now) {
  advance(now);
  if (!running_) return kNever;
  const u64 ticks = elapsed(now);
  switch (mode_) {
    case 0:
    case 1:
      return ticks < initial_ ? start_ + initial_ : kNever;
    case 2:
    case 3:
      return start_ + (ticks / initial_ + 1) * initial_;
    default:
      return ticks <= initial_ ? start_ + initial_ + 1 : kNever;
  }
}

u8 PitCounter::status(u64 now) {
  const bool out = output(now);
  const bool null_count = !loaded_ || waiting_ != 0;
  return static_cast<u8>(out << 7 | null_count << 6 | access_ << 4 | mode_ << 1 | (bcd_ ? 1 : 0));
}

void PitCounter::latch_count(u64 now) {
  if (latched_bytes_ != 0) return;  // The first latch holds until it is read.
  advance(now);
  latched_ = encode(count(now));
  latched_bytes_ = access_ == 3 ? 2 : 1;
}

void PitCounter::latch_status(u64 now) {
  if (status_latched_) return;
  status_ = status(now);
  status_latched_ = true;
}

u8 PitCounter::read(u64 now) {
  advance(now);
  if (status_latched_) {
    status_latched_ = false;
    return status_;
  }
  const u16 value = latched_bytes_ != 0 ? latched_ : encode(count(now));
  if (latched_bytes_ != 0) --latched_bytes_;
  if (access_ == 1) return static_cast<u8>(value);
  if (access_ == 2) return static_cast<u8>(value >> 8);
  const bool high = read_high_next_;
  read_high_next_ = !read_high_next_;
  return static_cast<u8>(high ? value >> 8 : value);
}

}  // namespace ringshift
