// I8042: the keyboard controller, ports 60h and 64h, with one keyboard; no auxiliary (mouse) device.
#pragma once

#include <deque>

#include "base/result.h"
#include "devices/bus.h"
#include "devices/cpu_signals.h"
#include "devices/device.h"
#include "devices/interrupt_line.h"
#include "devices/legacy/a20_gate.h"
#include "devices/legacy/ps2_keyboard.h"

namespace ringshift {

class I8042 final : public Device, public PortHandler {
 public:
  I8042(InterruptLine irq1, A20Gate& a20, PowerControl& power);

  Result<void> attach(IoBus& bus);
  // A key event from a display or a test: codes of scan code set 2.
  void key(std::span<const u8> codes);

  std::string_view name() const override { return "i8042"; }
  void reset() override;
  void save(StateWriter& out) const override;
  void restore(StateReader& in) override;
  u32 port_read(u16 port, unsigned size) override;
  void port_write(u16 port, unsigned size, u32 value) override;

 private:
  void command(u8 value);
  void command_argument(u8 value);
  // Puts a byte of the controller's own into the output buffer. extra: more status bits (aux, time-out).
  void reply(u8 value, u8 extra = 0);
  // Moves a byte from the keyboard to the output buffer if it is free.
  void fill();
  u8 translate(u8 code);
  void write_output_port(u8 value);
  void update_interrupt();

  InterruptLine irq1_;
  A20Gate& a20_;
  PowerControl& power_;
  Ps2Keyboard keyboard_;
  std::array<u8, 32> ram_{};  // byte 0: the command byte
  u8 status_ = 0;
  u8 output_ = 0;
  u8 pending_command_ = 0;     // awaits its argument at 60h
  bool break_prefix_ = false;  // translation saw F0
};

}  // namespace ringshift
