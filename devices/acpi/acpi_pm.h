// AcpiPm: the ACPI fixed hardware: PM1 event and control blocks at 600h and 604h, PM timer at 608h
// (ACPI 4.8).
//
// ACPI mode is always on (the FADT has no SMI command): SCI_EN reads 1.
#pragma once

#include "base/result.h"
#include "devices/bus.h"
#include "devices/clock.h"
#include "devices/cpu_signals.h"
#include "devices/device.h"
#include "devices/interrupt_line.h"

namespace ringshift {

class AcpiPm final : public Device, public PortHandler {
 public:
  static constexpr u16 kBase = 0x600;
  static constexpr unsigned kPorts = 0x10;
  static constexpr u64 kTimerHz = 3'579'545;
  static constexpr u8 kS5SleepType = 5;  // what \_S5 in the DSDT says

  // sci: IRQ 9, level.
  AcpiPm(Clock& clock, PowerControl& power, InterruptLine sci);

  Result<void> attach(IoBus& bus) { return bus.insert(kBase, kPorts, *this, "acpi-pm", 4); }
  // The user asks the guest to shut down.
  void press_power_button();

  std::string_view name() const override { return "acpi-pm"; }
  void reset() override;
  void save(StateWriter& out) const override;
  void restore(StateReader& in) override;
  u32 port_read(u16 port, unsigned size) override;
  void port_write(u16 port, unsigned size, u32 value) override;

 private:
  u64 timer_ticks();
  u8 read_byte(unsigned offset, u32 timer);
  void write_byte(unsigned offset, u8 value);
  void write_control(u16 value);
  // Brings TMR_STS up to now, and SCI and the timer with it.
  void update();

  Clock& clock_;
  PowerControl& power_;
  InterruptLine sci_;
  Clock::Timer overflow_;
  u16 status_ = 0;
  u16 enable_ = 0;
  u16 control_ = 1;
  u64 half_periods_ = 0;  // times that bit 31 of the timer had changed when last looked at
};

}  // namespace ringshift
