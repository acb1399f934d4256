// What the guest asked for when KVM_RUN returned: ports, MMIO and MSRs, answered through CpuIo and the CPU
// model.
#pragma once

#include "cpu-model/cpu.h"
#include "hw-accel-kvm/kvm_abi.h"

namespace ringshift {

// KVM_EXIT_IO: IN, OUT, and as many elements of INS and OUTS as came at once. KVM finishes the instruction
// when it is run again.
void serve_port_io(kvm_run& run, CpuIo& io);
// KVM_EXIT_MMIO: an access outside of RAM, or a write to ROM, which vanishes. Of any size up to 8.
void serve_mmio(kvm_run& run, Cpu& cpu, CpuIo& io);
// KVM_EXIT_X86_RDMSR and WRMSR: #GP is for KVM to raise.
void serve_rdmsr(kvm_run& run, Cpu& cpu);
void serve_wrmsr(kvm_run& run, Cpu& cpu);

}  // namespace ringshift
