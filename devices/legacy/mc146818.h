// Mc146818: the real-time clock and its CMOS memory, ports 70h and 71h (Motorola MC146818A data sheet).
//
// Time is the host's UTC at machine start plus the Clock, plus what the guest set. Flags are computed when
// they are looked at; a Clock::Timer runs only while an interrupt is enabled.
#pragma once

#include <array>

#include "base/result.h"
#include "devices/bus.h"
#include "devices/clock.h"
#include "devices/device.h"
#include "devices/interrupt_line.h"

namespace ringshift {

class Mc146818 final : public Device, public PortHandler {
 public:
  // start_utc: seconds since 1970 at Clock time 0.
  Mc146818(Clock& clock, InterruptLine irq8, i64 start_utc);

  Result<void> attach(IoBus& bus) { return bus.insert(0x70, 2, *this, "rtc"); }
  // Fills the CMOS bytes that tell the size of RAM; below 4 GiB, from address 0.
  void set_memory_size(u64 bytes);

  std::string_view name() const override { return "rtc"; }
  void reset() override;
  void save(StateWriter& out) const override;
  void restore(StateReader& in) override;
  u32 port_read(u16 port, unsigned size) override;
  void port_write(u16 port, unsigned size, u32 value) override;

 private:
  static constexpr unsigned kCentury = 0x32;

  bool binary() const { return (cmos_[0xb] & 0x04) != 0; }
  bool hours24() const { return (cmos_[0xb] & 0x02) != 0; }
  bool set_mode() const { return (cmos_[0xb] & 0x80) != 0; }
  bool divider_held() const { return (cmos_[0xa] & 0x70) >= 0x60; }
  bool frozen() const { return set_mode() || divider_held(); }
  // Nanoseconds since 1970 at the guest's clock.
  i64 time_ns();
  void set_time_ns(i64 ns);
  // Between the registers' format and numbers.
  u8 encode(unsigned value) const;
  unsigned decode(u8 value) const;
  u8 encode_hour(unsigned hour) const;
  unsigned decode_hour(u8 value) const;
  void time_to_registers();
  void registers_to_time(i64 subsecond_ns);
  u8 read_register(u8 index);
  void write_register(u8 index, u8 value);
  void write_a(u8 value);
  void write_b(u8 value);
  bool alarm_matches(i64 second) const;
  unsigned periodic_bit() const;
  // Edges of the periodic interrupt from Clock time 0 to now.
  u64 periodic_edges(u64 now) const;
  // Brings PF, AF and UF up to now, and IRQ 8 and the timer with them.
  void update();
  void arm(u64 now);

  Clock& clock_;
  InterruptLine irq_;
  Clock::Timer timer_;
  std::array<u8, 128> cmos_{};
  u8 index_ = 0;
  i64 start_ns_;     // guest time at Clock time 0
  u64 checked_ = 0;  // Clock time up to which the flags are right
};

}  // namespace ringshift
