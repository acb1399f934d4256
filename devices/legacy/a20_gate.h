// A20Gate: the gate of address line 20, which the i8042 and port 92h share; the last writer wins.
#pragma once

#include "devices/cpu_signals.h"
#include "devices/device.h"

namespace ringshift {

class A20Gate final : public Device {
 public:
  explicit A20Gate(CpuSignals& signals) : signals_(signals) {}

  bool open() const { return open_; }
  void set_open(bool open) {
    if (open == open_) return;
    open_ = open;
    signals_.set_a20_masked(!open);
  }

  std::string_view name() const override { return "a20"; }
  // As firmware leaves it: open.
  void reset() override {
    open_ = true;
    signals_.set_a20_masked(false);
  }
  void save(StateWriter& out) const override { out.put(open_); }
  void restore(StateReader& in) override {
    u8 open = 1;
    in.get(open);
    open_ = open != 0;
    signals_.set_a20_masked(!open_);
  }

 private:
  CpuSignals& signals_;
  bool open_ = true;
};

}  // namespace ringshift
