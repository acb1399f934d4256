// CpuSignals: the wires from the board's controllers to a CPU. The machine implements it over RunControl.
#pragma once

#include "base/types.h"

namespace ringshift {

class CpuSignals {
 public:
  virtual void set_intr(bool level) = 0;  // an interrupt waits to be acknowledged
  virtual void raise_nmi() = 0;
  virtual void set_a20_masked(bool masked) = 0;
  virtual void request_init() = 0;  // INIT or reset of the CPU

 protected:
  ~CpuSignals() = default;
};

// What a board can ask of the machine as a whole.
class PowerControl {
 public:
  virtual void power_off() = 0;
  virtual void reset() = 0;
  // isa-debug-exit: end the program with this exit status.
  virtual void exit_with(int status) = 0;

 protected:
  ~PowerControl() = default;
};

}  // namespace ringshift
