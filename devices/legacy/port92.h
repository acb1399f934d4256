// Port92: system control port A: the fast A20 gate and the fast reset.
#pragma once

#include "base/result.h"
#include "devices/bus.h"
#include "devices/cpu_signals.h"
#include "devices/device.h"
#include "devices/legacy/a20_gate.h"

namespace ringshift {

class Port92 final : public Device, public PortHandler {
 public:
  Port92(A20Gate& a20, PowerControl& power) : a20_(a20), power_(power) {}
  Result<void> attach(IoBus& bus) { return bus.insert(0x92, 1, *this, "port92"); }

  std::string_view name() const override { return "port92"; }
  void reset() override { latch_ = 0; }
  void save(StateWriter& out) const override { out.put(latch_); }
  void restore(StateReader& in) override { in.get(latch_); }
  u32 port_read(u16 port, unsigned size) override;
  void port_write(u16 port, unsigned size, u32 value) override;

 private:
  A20Gate& a20_;
  PowerControl& power_;
  u8 latch_ = 0;  // all but the A20 bit
};

}  // namespace ringshift
