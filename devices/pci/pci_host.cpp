// PciHost: configuration mechanism 1 and the reset control register (Intel 82441FX 4.1, 82371SB).
#include "devices/pci/pci_host.h"

#include "base/bits.h"

namespace ringshift {

namespace {

constexpr u16 kAddress = 0xcf8, kResetControl = 0xcf9, kData = 0xcfc;

}  // namespace

Result<void> PciHost::insert(unsigned device, unsigned function, PciFunction& pci_function) {
  if (device >= 32 || function >= 8)
    return fail(ErrorKind::usage, "PCI address 0:{:x}.{} does not exist", device, function);
  PciFunction*& slot = functions_[device * 8 + function];
  if (slot != nullptr)
    return fail(ErrorKind::usage, "PCI address 0:{:x}.{} already belongs to {}", device, function,
                slot->name());
  slot = &pci_function;
  return {};
}

void PciHost::reset() { address_ = reset_control_ = 0; }

void PciHost::save(StateWriter& out) const {
  out.put(address_);
  out.put(reset_control_);
}

void PciHost::restore(StateReader& in) {
  in.get(address_);
  in.get(reset_control_);
}

PciFunction* PciHost::selected() const {
  if (!has_bit(address_, 31) || bit_field(address_, 16, 8) != 0) return nullptr;  // bus 0 is all there is
  return functions_[bit_field(address_, 8, 8)];
}

u32 PciHost::port_read(u16 port, unsigned size) {
  if (port == kAddress && size == 4) return address_;
  if (port == kResetControl && size == 1) return reset_control_;
  if (port < kData) return ~u32{0};
  const PciFunction* function = selected();
  if (function == nullptr) return ~u32{0};
  return function->config_read((address_ & 0xfc) + (port & 3u), size);
}

void PciHost::port_write(u16 port, unsigned size, u32 value) {
  if (port == kAddress && size == 4) address_ = value & 0x80fffffc;
  if (port == kResetControl && size == 1) write_reset_control(static_cast<u8>(value));
  if (port < kData) return;
  if (PciFunction* function = selected())
    function->config_write((address_ & 0xfc) + (port & 3u), size, value);
}

// A rising bit 2 resets the machine, hard or soft as bit 1 says: no difference here.
void PciHost::write_reset_control(u8 value) {
  const bool rises = has_bit(value, 2) && !has_bit(reset_control_, 2);
  reset_control_ = value & 0x06;
  if (rises) power_.reset();
}

}  // namespace ringshift
