// CpuWires: the board's signals to the vCPU, turned into events and state.
#pragma once

#include <functional>

#include "cpu-model/cpu.h"
#include "devices/cpu_signals.h"

namespace ringshift {

class CpuWires final : public CpuSignals {
 public:
  // on_init: the CPU's INIT or RESET pin was pulled.
  CpuWires(Cpu& cpu, std::function<void()> on_init) : cpu_(cpu), on_init_(std::move(on_init)) {}

  void set_intr(bool level) override {
    if (level)
      cpu_.control.raise_event(kEventInterrupt);
    else
      cpu_.control.clear_event(kEventInterrupt);
  }
  void raise_nmi() override { cpu_.control.raise_event(kEventNmi); }
  void set_a20_masked(bool masked) override {
    if ((cpu_.state.a20_masked != 0) == masked) return;
    cpu_.state.a20_masked = masked ? 1 : 0;
    cpu_.flush_all();
  }
  void request_init() override { on_init_(); }

 private:
  Cpu& cpu_;
  std::function<void()> on_init_;
};

}  // namespace ringshift
