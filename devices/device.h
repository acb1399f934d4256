// Device: what every device has from its first day; and the small capabilities it may add.
#pragma once

#include <string_view>

#include "base/archive.h"
#include "base/types.h"

namespace ringshift {

class Device {
 public:
  virtual ~Device() = default;
  // Unique on its board: "com1", "pic".
  virtual std::string_view name() const = 0;
  virtual void reset() = 0;
  virtual void save(StateWriter& out) const = 0;
  virtual void restore(StateReader& in) = 0;
};

// A device with I/O ports. port is absolute; size 1, 2 or 4. Sizes that hardware splits are split by the bus
// when the handler says so (see IoBus::insert).
class PortHandler {
 public:
  virtual u32 port_read(u16 port, unsigned size) = 0;
  virtual void port_write(u16 port, unsigned size, u32 value) = 0;

 protected:
  ~PortHandler() = default;
};

// A device with registers in physical memory. offset is from the start of its range; size 1, 2, 4 or 8.
class MmioHandler {
 public:
  virtual u64 mmio_read(u64 offset, unsigned size) = 0;
  virtual void mmio_write(u64 offset, unsigned size, u64 value) = 0;

 protected:
  ~MmioHandler() = default;
};

}  // namespace ringshift
