// PciFunction: one function on a PCI bus: its 256 bytes of configuration space and which bits can be written.
#pragma once

#include <array>

#include "devices/device.h"

namespace ringshift {

class PciFunction : public Device {
 public:
  struct Identity {
    u16 vendor;
    u16 device;
    u32 class_code;  // 24 bits: class, subclass, programming interface
    u8 revision;
    u8 header_type;  // 80h: more functions in this slot
  };
  explicit PciFunction(const Identity& identity);

  // offset + size <= 256, size 1, 2 or 4: the bus sees to that.
  u32 config_read(unsigned offset, unsigned size) const;
  void config_write(unsigned offset, unsigned size, u32 value);

  void reset() override { config_ = initial_; }
  void save(StateWriter& out) const override { out.put(config_); }
  void restore(StateReader& in) override { in.get(config_); }

 protected:
  // For constructors: the value after reset, and the bits that the guest can change.
  void define(unsigned offset, unsigned size, u32 value, u32 writable);
  // [offset, offset + size) was written: BARs, the command register and the like may have changed.
  virtual void config_changed(unsigned /*offset*/, unsigned /*size*/) {}

 private:
  std::array<u8, 256> config_{};
  std::array<u8, 256> initial_{};
  std::array<u8, 256> writable_{};
};

}  // namespace ringshift
