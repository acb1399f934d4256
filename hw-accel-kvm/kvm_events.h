// Events that KVM had begun to deliver when the state was taken out: the CPU model finishes them.
#pragma once

#include "cpu-model/cpu.h"
#include "hw-accel-kvm/kvm_abi.h"

namespace ringshift {

// True if there was one; then KVM's state is no longer the vCPU's. cpu.state must hold the state that came
// with `events`. VcpuState has no place for an interrupt that was acknowledged and not yet delivered, so it
// is delivered now, as KVM would have at its next entry.
bool finish_events(Cpu& cpu, const kvm_vcpu_events& events);

}  // namespace ringshift
