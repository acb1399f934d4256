// PciHost: configuration mechanism 1 (CF8h/CFCh), bus 0's functions, and the reset control register CF9h.
#pragma once

#include <array>

#include "base/result.h"
#include "devices/bus.h"
#include "devices/cpu_signals.h"
#include "devices/device.h"
#include "devices/pci/pci_function.h"

namespace ringshift {

class PciHost final : public Device, public PortHandler {
 public:
  explicit PciHost(PowerControl& power) : power_(power) {}

  Result<void> attach(IoBus& bus) { return bus.insert(0xcf8, 8, *this, "pci-host", 4); }
  // Puts a function into bus 0; it must outlive the host. Slots taken or out of range are errors.
  Result<void> insert(unsigned device, unsigned function, PciFunction& pci_function);

  std::string_view name() const override { return "pci-host"; }
  void reset() override;
  void save(StateWriter& out) const override;
  void restore(StateReader& in) override;
  u32 port_read(u16 port, unsigned size) override;
  void port_write(u16 port, unsigned size, u32 value) override;

 private:
  // The function that the address register selects, or null.
  PciFunction* selected() const;
  void write_reset_control(u8 value);

  PowerControl& power_;
  std::array<PciFunction*, 32 * 8> functions_{};
  u32 address_ = 0;
  u8 reset_control_ = 0;
};

}  // namespace ringshift
