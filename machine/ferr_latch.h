// FerrLatch: the PC's wiring of the x87 error pin: FERR# raises IRQ 13, a write to port F0h lowers it.
#pragma once

#include "devices/bus.h"
#include "devices/device.h"
#include "devices/interrupt_line.h"

namespace ringshift {

class FerrLatch final : public Device, public PortHandler {
 public:
  explicit FerrLatch(InterruptLine irq13) : irq_(irq13) {}
  Result<void> attach(IoBus& bus) { return bus.insert(0xf0, 2, *this, "fpu-error"); }

  void set(bool level) { irq_.set(level); }

  std::string_view name() const override { return "fpu-error"; }
  void reset() override { irq_.set(false); }
  void save(StateWriter& out) const override { out.put(static_cast<u8>(irq_.level())); }
  void restore(StateReader& in) override {
    u8 level = 0;
    in.get(level);
    irq_.set(level != 0);
  }
  u32 port_read(u16, unsigned) override { return 0xff; }
  void port_write(u16, unsigned, u32) override { irq_.set(false); }

 private:
  InterruptLine irq_;
};

}  // namespace ringshift
