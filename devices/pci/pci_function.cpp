// PciFunction: configuration space (PCI Local Bus Specification 3.0, chapter 6).
#include "devices/pci/pci_function.h"

#include "base/check.h"

namespace ringshift {

PciFunction::PciFunction(const Identity& identity) {
  define(0x00, 2, identity.vendor, 0);
  define(0x02, 2, identity.device, 0);
  define(0x08, 4, identity.class_code << 8 | identity.revision, 0);
  define(0x0e, 1, identity.header_type, 0);
}

void PciFunction::define(unsigned offset, unsigned size, u32 value, u32 writable) {
  RS_CHECK(size <= 4 && offset + size <= config_.size());
  for (unsigned i = 0; i < size; ++i) {
    config_[offset + i] = initial_[offset + i] = static_cast<u8>(value >> (8 * i));
    writable_[offset + i] = static_cast<u8>(writable >> (8 * i));
  }
}

u32 PciFunction::config_read(unsigned offset, unsigned size) const {
  u32 value = 0;
  for (unsigned i = 0; i < size && offset + i < config_.size(); ++i)
    value |= u32{config_[offset + i]} << (8 * i);
  return value;
}

void PciFunction::config_write(unsigned offset, unsigned size, u32 value) {
  for (unsigned i = 0; i < size && offset + i < config_.size(); ++i) {
    const u8 mask = writable_[offset + i];
    u8& byte = config_[offset + i];
    byte = static_cast<u8>((byte & ~mask) | (static_cast<u8>(value >> (8 * i)) & mask));
  }
  config_changed(offset, size);
}

}  // namespace ringshift
