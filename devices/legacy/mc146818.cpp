// Mc146818: the real-time clock's registers and interrupts.
#include "devices/legacy/mc146818.h"

#include <algorithm>

#include "base/bits.h"
#include "devices/legacy/calendar.h"

namespace ringshift {

namespace {

constexpr i64 kSecond = 1'000'000'000;
constexpr u64 kBaseHz = 32'768;
constexpr i64 kUpdateWarningNs = 244'000;  // UIP is set this long before an update
enum : u8 {
  kSeconds = 0,
  kSecondsAlarm,
  kMinutes,
  kMinutesAlarm,
  kHours,
  kHoursAlarm,
  kWeekday,
  kDay,
  kMonth,
  kYear
};
enum : u8 { kA = 0xa, kB, kC, kD };
constexpr u8 kPeriodic = 0x40, kAlarm = 0x20, kUpdated = 0x10;  // in B as enables, in C as flags

}  // namespace

Mc146818::Mc146818(Clock& clock, InterruptLine irq8, i64 start_utc)
    : clock_(clock), irq_(irq8), timer_(clock, [this] { update(); }), start_ns_(start_utc * kSecond) {
  cmos_[kA] = 0x26;    // 32,768 Hz, 1,024 Hz periodic
  cmos_[kB] = 0x02;    // 24 hours, BCD
  cmos_[kD] = 0x80;    // the battery is good
  cmos_[0x14] = 0x06;  // equipment: FPU, and a PS/2 port; no floppy
}

void Mc146818::set_memory_size(u64 bytes) {
  const auto put16 = [&](unsigned at, u64 value) {
    const u64 clipped = std::min<u64>(value, 0xffff);
    cmos_[at] = static_cast<u8>(clipped);
    cmos_[at + 1] = static_cast<u8>(clipped >> 8);
  };
  constexpr u64 kMiB = 1 << 20;
  put16(0x15, std::min<u64>(bytes / 1024, 640));
  const u64 above_1m = bytes > kMiB ? (bytes - kMiB) / 1024 : 0;
  put16(0x17, above_1m);
  put16(0x30, above_1m);
  put16(0x34, bytes > 16 * kMiB ? (bytes - 16 * kMiB) / 65536 : 0);
  cmos_[0x5b] = cmos_[0x5c] = cmos_[0x5d] = 0;  // nothing above 4 GiB
  u16 sum = 0;
  for (unsigned i = 0x10; i <= 0x2d; ++i) sum = static_cast<u16>(sum + cmos_[i]);
  cmos_[0x2e] = static_cast<u8>(sum >> 8);
  cmos_[0x2f] = static_cast<u8>(sum);
}

// RESET# clears the enables and the flags, not the time or the memory (data sheet, "RESET").
void Mc146818::reset() {
  index_ = 0;
  if (frozen()) {  // Time goes on from where it was held.
    cmos_[kA] = 0x26;
    cmos_[kB] &= 0x7f;
    registers_to_time(0);
  }
  cmos_[kB] &= 0x87;
  cmos_[kC] = 0;
  checked_ = clock_.now_ns();
  irq_.set(false);
  timer_.cancel();
}

void Mc146818::save(StateWriter& out) const {
  out.put(cmos_);
  out.put(index_);
  out.put(start_ns_);
  out.put(checked_);
}

void Mc146818::restore(StateReader& in) {
  in.get(cmos_);
  in.get(index_);
  in.get(start_ns_);
  in.get(checked_);
  index_ &= 0x7f;
  irq_.set(has_bit(cmos_[kC], 7));
  arm(clock_.now_ns());
}

i64 Mc146818::time_ns() { return start_ns_ + static_cast<i64>(clock_.now_ns()); }

void Mc146818::set_time_ns(i64 ns) { start_ns_ = ns - static_cast<i64>(clock_.now_ns()); }

u8 Mc146818::encode(unsigned value) const {
  return static_cast<u8>(binary() ? value : (value / 10 % 10) << 4 | value % 10);
}

unsigned Mc146818::decode(u8 value) const { return binary() ? value : (value >> 4) * 10u + (value & 0xf); }

u8 Mc146818::encode_hour(unsigned hour) const {
  if (hours24()) return encode(hour);
  const unsigned hour12 = hour % 12 == 0 ? 12 : hour % 12;
  return static_cast<u8>(encode(hour12) | (hour >= 12 ? 0x80 : 0));
}

unsigned Mc146818::decode_hour(u8 value) const {
  if (hours24()) return decode(value);
  return decode(value & 0x7f) % 12 + (value >= 0x80 ? 12 : 0);
}

void Mc146818::time_to_registers() {
  const CivilTime time = civil_time(time_ns() / kSecond);
  cmos_[kSeconds] = encode(time.second);
  cmos_[kMinutes] = encode(time.minute);
  cmos_[kHours] = encode_hour(time.hour);
  cmos_[kWeekday] = encode(time.weekday + 1);
  cmos_[kDay] = encode(time.day);
  cmos_[kMonth] = encode(time.month);
  cmos_[kYear] = encode(time.year % 100);
  cmos_[kCentury] = encode(time.year / 100);
}

void Mc146818::registers_to_time(i64 subsecond_ns) {
  CivilTime time;
  time.second = decode(cmos_[kSeconds]) % 60;
  time.minute = decode(cmos_[kMinutes]) % 60;
  time.hour = decode_hour(cmos_[kHours]) % 24;
  time.day = std::clamp(decode(cmos_[kDay]), 1u, 31u);
  time.month = std::clamp(decode(cmos_[kMonth]), 1u, 12u);
  time.year = std::clamp(decode(cmos_[kCentury]), 19u, 21u) * 100 + decode(cmos_[kYear]) % 100;
  set_time_ns(seconds_since_1970(time) * kSecond + subsecond_ns);
}

u8 Mc146818::read_register(u8 index) {
  switch (index) {
    case kA: {
      const bool soon = !frozen() && time_ns() % kSecond >= kSecond - kUpdateWarningNs;
      return static_cast<u8>((cmos_[kA] & 0x7f) | (soon ? 0x80 : 0));
    }
    case kC: {
      update();
      const u8 flags = cmos_[kC];
      cmos_[kC] = 0;
      irq_.set(false);  // what has come meanwhile is a new edge
      update();
      return flags;
    }
    default:
      break;
  }
  const bool alarm = index == kSecondsAlarm || index == kMinutesAlarm || index == kHoursAlarm;
  if (((index <= kYear && !alarm) || index == kCentury) && !frozen()) time_to_registers();
  return cmos_[index];
}

void Mc146818::write_register(u8 index, u8 value) {
  switch (index) {
    case kA:
      write_a(value);
      return;
    case kB:
      write_b(value);
      return;
    case kC:
    case kD:
      return;
    default:
      break;
  }
  const bool alarm = index == kSecondsAlarm || index == kMinutesAlarm || index == kHoursAlarm;
  const bool time = (index <= kYear && !alarm) || index == kCentury;
  if (index <= kYear) update();
  const bool running = time && !frozen();
  if (running) time_to_registers();
  cmos_[index] = value;
  if (running) registers_to_time(time_ns() % kSecond);
  if (index <= kYear) update();
}

void Mc146818::write_a(u8 value) {
  update();
  const bool was_frozen = frozen();
  if (!was_frozen) time_to_registers();
  const bool was_held = divider_held();
  cmos_[kA] = value & 0x7f;
  // The first update comes half a second after the divider is let go.
  if (was_frozen && !frozen()) registers_to_time(was_held ? kSecond / 2 : 0);
  update();
}

void Mc146818::write_b(u8 value) {
  update();
  const bool was_frozen = frozen();
  if (!was_frozen) time_to_registers();
  // Setting SET clears UIE. Alarm registers and time registers keep their bytes when the format changes.
  cmos_[kB] = has_bit(value, 7) ? value & 0xef : value;
  if (was_frozen && !frozen()) registers_to_time(0);
  update();
}

bool Mc146818::alarm_matches(i64 second) const {
  const CivilTime time = civil_time(second);
  const auto matches = [](u8 alarm, u8 now) { return (alarm & 0xc0) == 0xc0 || alarm == now; };
  return matches(cmos_[kSecondsAlarm], encode(time.second)) &&
         matches(cmos_[kMinutesAlarm], encode(time.minute)) &&
         matches(cmos_[kHoursAlarm], encode_hour(time.hour));
}

// Rate select (data sheet, table 5), with the 32,768 Hz time base: bit n - 1 of the divider's count.
unsigned Mc146818::periodic_bit() const {
  const unsigned rate = cmos_[kA] & 0xf;
  if (rate == 0 || divider_held()) return 0;
  return rate <= 2 ? rate + 7 : rate;
}

u64 Mc146818::periodic_edges(u64 now) const {
  const unsigned bit = periodic_bit();
  return bit == 0 ? 0 : mul_div(now, kBaseHz, kSecond) >> (bit - 1);
}

void Mc146818::update() {
  const u64 now = clock_.now_ns();
  if (periodic_edges(now) != periodic_edges(checked_)) cmos_[kC] |= kPeriodic;
  if (!frozen()) {
    const i64 last = (start_ns_ + static_cast<i64>(checked_)) / kSecond;
    const i64 second = (start_ns_ + static_cast<i64>(now)) / kSecond;
    if (second != last) cmos_[kC] |= kUpdated;
    // An alarm recurs daily; and after long sleep only the last minute can be of interest.
    if ((cmos_[kC] & kAlarm) == 0) {
      for (i64 s = std::max(last + 1, second - 60); s <= second; ++s) {
        if (alarm_matches(s)) cmos_[kC] |= kAlarm;
      }
    }
  }
  checked_ = now;
  const bool request = (cmos_[kC] & cmos_[kB] & (kPeriodic | kAlarm | kUpdated)) != 0;
  cmos_[kC] = static_cast<u8>((cmos_[kC] & 0x70) | (request ? 0x80 : 0));
  irq_.set(request);
  arm(now);
}

void Mc146818::arm(u64 now) {
  u64 next = Clock::kNever;
  const unsigned bit = periodic_bit();
  if (bit != 0 && (cmos_[kB] & kPeriodic) != 0)
    next = mul_div((periodic_edges(now) + 1) << (bit - 1), kSecond, kBaseHz) + 1;
  if (!frozen() && (cmos_[kB] & (kAlarm | kUpdated)) != 0) {
    const i64 time = start_ns_ + static_cast<i64>(now);
    next = std::min(next, now + static_cast<u64>(kSecond - time % kSecond));
  }
  // While a request stands, nothing that comes can change the line.
  if (irq_.level()) next = Clock::kNever;
  timer_.arm(next);
}

u32 Mc146818::port_read(u16 port, unsigned) { return (port & 1) == 0 ? 0xff : read_register(index_); }

void Mc146818::port_write(u16 port, unsigned, u32 value) {
  // Bit 7 of the index masks NMI on a PC; there is no NMI source here that it could mask.
  if ((port & 1) == 0)
    index_ = static_cast<u8>(value) & 0x7f;
  else
    write_register(index_, static_cast<u8>(value));
}

}  // namespace ringshift
