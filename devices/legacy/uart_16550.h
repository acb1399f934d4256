// Uart16550: a 16550A serial port (PC16550D data sheet).
//
// Sending takes no time: a byte goes to the backend at once, in batches that are flushed at a newline or
// after 2 ms. The interrupt pin is gated by MCR.OUT2, as on a PC.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "base/result.h"
#include "devices/backend/char_backend.h"
#include "devices/bus.h"
#include "devices/clock.h"
#include "devices/device.h"
#include "devices/interrupt_line.h"

namespace ringshift {

class Uart16550 final : public Device, public PortHandler, public CharReceiver {
 public:
  // The backend must outlive the UART, which becomes its receiver. COM1: "com1", 3F8h, IRQ 4.
  Uart16550(std::string name, u16 base, InterruptLine irq, Clock& clock, CharBackend& backend);
  ~Uart16550() override;

  Result<void> attach(IoBus& bus) { return bus.insert(base_, 8, *this, name_); }
  // Hands what was sent to the backend now.
  void flush();

  unsigned can_receive() override;
  void receive(std::span<const u8> bytes) override;

  std::string_view name() const override { return name_; }
  void reset() override;
  void save(StateWriter& out) const override;
  void restore(StateReader& in) override;
  u32 port_read(u16 port, unsigned size) override;
  void port_write(u16 port, unsigned size, u32 value) override;

 private:
  static constexpr unsigned kFifoSize = 16;

  bool fifo_enabled() const { return (fcr_ & 1) != 0; }
  bool loopback() const { return (mcr_ & 0x10) != 0; }
  unsigned capacity() const { return fifo_enabled() ? kFifoSize : 1; }
  unsigned trigger() const;
  u8 read_data();
  void push(u8 byte);
  void transmit(u8 byte);
  void write_fcr(u8 value);
  void write_mcr(u8 value);
  u8 modem_lines() const;
  void update_modem_status();
  // What IIR shows: the highest pending source, 1 for none.
  u8 identify() const;
  void update_interrupt() { irq_.set(identify() != 1 && (mcr_ & 0x08) != 0 && !loopback()); }

  std::string name_;
  u16 base_;
  InterruptLine irq_;
  CharBackend& backend_;
  Clock& clock_;
  Clock::Timer flush_timer_;
  std::vector<u8> sent_;  // not yet with the backend

  u16 divisor_ = 12;
  u8 ier_ = 0;
  u8 fcr_ = 0;
  u8 lcr_ = 0;
  u8 mcr_ = 0;
  u8 msr_ = 0;
  u8 scratch_ = 0;
  bool overrun_ = false;
  bool thre_pending_ = false;
  std::array<u8, kFifoSize> fifo_{};
  u8 fifo_head_ = 0;
  u8 fifo_count_ = 0;
};

}  // namespace ringshift
