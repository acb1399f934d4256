// CpuIo: the only door from a CPU to devices and time. The machine implements it.
#pragma once

#include "base/tsc_scale.h"
#include "base/types.h"

namespace ringshift {

class CpuIo {
 public:
  // size: 1, 2 or 4 bytes. Unclaimed ports read all ones.
  virtual u32 port_in(u16 port, unsigned size) = 0;
  virtual void port_out(u16 port, unsigned size, u32 value) = 0;
  // A physical access that is not RAM or ROM; size 1, 2, 4 or 8, within one page. Unclaimed reads all ones.
  virtual u64 mmio_read(Gpa gpa, unsigned size) = 0;
  virtual void mmio_write(Gpa gpa, unsigned size, u64 value) = 0;
  // INTA: the vector of the interrupt that is delivered now, or -1 if the request has gone (spurious).
  virtual int acknowledge_interrupt() = 0;
  // The Clock's time-stamp counter, without the vCPU's offset.
  virtual u64 read_tsc() = 0;
  // The same as a function of the host's TSC, for an engine that executes RDTSC itself; null if it isn't one.
  // It may change in service(), and between runs.
  virtual const TscScale* tsc_scale() { return nullptr; }
  // Does what `events` asks for (RunControl): due timers, device work. Called between instructions.
  virtual void service(u32 events) = 0;
  // The guest wrote IA32_APIC_BASE.
  virtual void apic_base_changed(u64 value) = 0;
  // FERR#: an x87 exception with CR0.NE = 0 (IRQ 13).
  virtual void set_ferr(bool level) = 0;

 protected:
  ~CpuIo() = default;
};

}  // namespace ringshift
