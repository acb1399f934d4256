// DebugExit: QEMU's isa-debug-exit: a write of v ends the program with status (v << 1) | 1.
#pragma once

#include "base/result.h"
#include "devices/bus.h"
#include "devices/cpu_signals.h"
#include "devices/device.h"

namespace ringshift {

class DebugExit final : public Device, public PortHandler {
 public:
  // QEMU's defaults; iosize 1, 2 or 4.
  explicit DebugExit(PowerControl& power, u16 iobase = 0x501, unsigned iosize = 2)
      : power_(power), base_(iobase), size_(iosize) {}
  Result<void> attach(IoBus& bus) { return bus.insert(base_, size_, *this, "isa-debug-exit", size_); }

  std::string_view name() const override { return "isa-debug-exit"; }
  void reset() override {}
  void save(StateWriter&) const override {}
  void restore(StateReader&) override {}
  u32 port_read(u16, unsigned) override { return 0; }
  // A process's status has 8 bits.
  void port_write(u16, unsigned, u32 value) override {
    power_.exit_with(static_cast<int>(((value << 1) | 1) & 0xff));
  }

 private:
  PowerControl& power_;
  u16 base_;
  unsigned size_;
};

}  // namespace ringshift
