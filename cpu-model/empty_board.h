// EmptyBoard: a CpuIo with nothing behind it, for probes and tests, which add what they need.
#pragma once

#include "cpu-model/cpu_io.h"

namespace ringshift {

// Reads give all ones, writes go nowhere, no interrupt is there, and no time passes.
class EmptyBoard : public CpuIo {
 public:
  u32 port_in(u16, unsigned) override { return ~u32{0}; }
  void port_out(u16, unsigned, u32) override {}
  u64 mmio_read(Gpa, unsigned) override { return ~u64{0}; }
  void mmio_write(Gpa, unsigned, u64) override {}
  int acknowledge_interrupt() override { return -1; }
  u64 read_tsc() override { return 0; }
  void service(u32) override {}
  void apic_base_changed(u64) override {}
  void set_ferr(bool) override {}

 protected:
  ~EmptyBoard() = default;
};

}  // namespace ringshift
