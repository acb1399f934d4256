// IoApic: the I/O APIC, 24 inputs, memory-mapped at FEC00000 (Intel 82093AA).
//
// A line's level means "asserted"; the polarity bit is kept but wires here have no polarity.
#pragma once

#include <array>

#include "base/result.h"
#include "devices/bus.h"
#include "devices/device.h"
#include "devices/interrupt_line.h"
#include "devices/irq/local_apic.h"

namespace ringshift {

class IoApic final : public Device, public MmioHandler, public InterruptSink, public EoiListener {
 public:
  static constexpr Gpa kBase = 0xfec00000;
  static constexpr unsigned kInputs = 24;
  static constexpr u8 kApicId = 1;

  explicit IoApic(LocalApic& local) : local_(local) { reset(); }

  Result<void> attach(MmioBus& bus);
  void set_listener(RequestListener* requests) { requests_ = requests; }

  void set_line(unsigned input, bool level) override;
  void end_of_interrupt(u8 vector) override;
  // Some unmasked input has ExtINT delivery: the PIC's interrupts pass through it.
  bool passes_ext_int() const;

  std::string_view name() const override { return "ioapic"; }
  void reset() override;
  void save(StateWriter& out) const override;
  void restore(StateReader& in) override;
  u64 mmio_read(u64 offset, unsigned size) override;
  void mmio_write(u64 offset, unsigned size, u64 value) override;

 private:
  u32 read_register() const;
  void write_register(u32 value);
  void write_entry(unsigned input, bool high, u32 value);
  // Sends input's message if it is unmasked and, for level, not yet in service.
  void send(unsigned input);

  LocalApic& local_;
  RequestListener* requests_ = nullptr;
  u8 select_ = 0;
  u8 id_ = kApicId;
  u32 lines_ = 0;
  std::array<u64, kInputs> entries_{};
};

}  // namespace ringshift
