// Port61: system control port B: timer 2's gate and output, the speaker, the refresh toggle.
#pragma once

#include "base/result.h"
#include "devices/bus.h"
#include "devices/clock.h"
#include "devices/device.h"
#include "devices/legacy/i8254.h"

namespace ringshift {

class Port61 final : public Device, public PortHandler {
 public:
  Port61(Clock& clock, I8254& pit) : clock_(clock), pit_(pit) {}
  Result<void> attach(IoBus& bus) { return bus.insert(0x61, 1, *this, "port61"); }

  std::string_view name() const override { return "port61"; }
  void reset() override;
  void save(StateWriter& out) const override { out.put(latch_); }
  void restore(StateReader& in) override { in.get(latch_); }
  u32 port_read(u16 port, unsigned size) override;
  void port_write(u16 port, unsigned size, u32 value) override;

 private:
  Clock& clock_;
  I8254& pit_;
  u8 latch_ = 0;  // bits 0-3 as written
};

}  // namespace ringshift
