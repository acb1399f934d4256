// I8254: the interval timer: three counters at 1.193182 MHz, ports 40h-43h (Intel 8254 data sheet).
//
// Counter 0 drives IRQ 0, counter 2 the speaker and port 61h. Counts are computed from the Clock when they
// are read; only counter 0 has a Clock::Timer.
#pragma once

#include <array>

#include "base/result.h"
#include "devices/bus.h"
#include "devices/clock.h"
#include "devices/device.h"
#include "devices/interrupt_line.h"
#include "devices/legacy/pit_counter.h"

namespace ringshift {

class I8254 final : public Device, public PortHandler {
 public:
  // Interrupts come at most this often: a guest may program 1.2 MHz, which no monitor can deliver. Of ticks
  // that are missed, one is made up for.
  static constexpr u64 kMinPeriodNs = 25'000;

  I8254(Clock& clock, InterruptLine irq0);

  Result<void> attach(IoBus& bus);

  // Port 61h: counter 2's gate and output.
  void set_gate2(bool level);
  bool output2();

  std::string_view name() const override { return "pit"; }
  void reset() override;
  void save(StateWriter& out) const override;
  void restore(StateReader& in) override;
  u32 port_read(u16 port, unsigned size) override;
  void port_write(u16 port, unsigned size, u32 value) override;

 private:
  u64 now_ticks();
  void write_control(u8 value);
  // Sets IRQ 0 to counter 0's output, and the timer to its next rising edge.
  void follow_counter0();
  // Waits for the tick at which OUT rises.
  void arm_for(u64 edge, u64 now_ns);
  void timer_due();

  Clock& clock_;
  InterruptLine irq0_;
  Clock::Timer timer_;
  u64 due_ns_ = 0;          // when the tick that the timer waits for is due
  bool making_up_ = false;  // that tick is one that was missed
  std::array<PitCounter, 3> counters_{};
};

}  // namespace ringshift
