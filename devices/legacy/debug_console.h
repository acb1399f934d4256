// DebugConsole: the debug port E9h of Bochs and QEMU: a read gives E9h, written bytes go to a backend.
#pragma once

#include "base/result.h"
#include "devices/backend/char_backend.h"
#include "devices/bus.h"
#include "devices/device.h"

namespace ringshift {

class DebugConsole final : public Device, public PortHandler {
 public:
  explicit DebugConsole(CharBackend& backend, u16 port = 0xe9) : backend_(backend), port_(port) {}
  Result<void> attach(IoBus& bus) { return bus.insert(port_, 1, *this, "debugcon"); }

  std::string_view name() const override { return "debugcon"; }
  void reset() override {}
  void save(StateWriter&) const override {}
  void restore(StateReader&) override {}
  u32 port_read(u16, unsigned) override { return 0xe9; }
  void port_write(u16, unsigned, u32 value) override {
    const u8 byte = static_cast<u8>(value);
    backend_.write({&byte, 1});
  }

 private:
  CharBackend& backend_;
  u16 port_;
};

}  // namespace ringshift
