// Serving KVM's exits.
#include "hw-accel-kvm/kvm_exits.h"

#include <cstring>

#include "cpu-model/msr.h"

namespace ringshift {

namespace {
// The largest power of two that fits, so that devices see the sizes that they know.
unsigned piece_of(unsigned length) { return length >= 8 ? 8 : length >= 4 ? 4 : length >= 2 ? 2 : 1; }
}  // namespace

void serve_port_io(kvm_run& run, CpuIo& io) {
  const unsigned size = run.io.size;
  const u16 port = run.io.port;
  u8* data = reinterpret_cast<u8*>(&run) + run.io.data_offset;
  for (u32 i = 0; i < run.io.count; ++i, data += size) {
    u32 value = 0;
    if (run.io.direction == KVM_EXIT_IO_OUT) {
      std::memcpy(&value, data, size);
      io.port_out(port, size, value);
    } else {
      value = io.port_in(port, size);
      std::memcpy(data, &value, size);
    }
  }
}

void serve_mmio(kvm_run& run, Cpu& cpu, CpuIo& io) {
  const Gpa gpa = cpu.a20(run.mmio.phys_addr);
  const bool memory = cpu.phys.kind(gpa) != PageKind::unmapped;
  for (unsigned at = 0; at < run.mmio.len && at < sizeof run.mmio.data;) {
    const unsigned size = piece_of(run.mmio.len - at);
    u64 value = 0;
    if (run.mmio.is_write != 0) {
      std::memcpy(&value, run.mmio.data + at, size);
      if (!memory) io.mmio_write(gpa + at, size, value);
    } else {
      value = io.mmio_read(gpa + at, size);
      std::memcpy(run.mmio.data + at, &value, size);
    }
    at += size;
  }
}

// KVM has looked at the CPL before it exits; cpu.state's is as old as the last transfer.
void serve_rdmsr(kvm_run& run, Cpu& cpu) {
  cpu.state.cpl = 0;
  const Outcome<u64> value = read_msr(cpu, run.msr.index);
  run.msr.error = value ? 0 : 1;
  if (value) run.msr.data = *value;
}

void serve_wrmsr(kvm_run& run, Cpu& cpu) {
  cpu.state.cpl = 0;
  run.msr.error = write_msr(cpu, run.msr.index, run.msr.data) ? 0 : 1;
}

}  // namespace ringshift
