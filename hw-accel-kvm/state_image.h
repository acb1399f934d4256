// StateImage: VcpuState in the shapes in which KVM takes and gives it; conversion both ways.
#pragma once

#include "base/result.h"
#include "cpu-model/vcpu_state.h"
#include "hw-accel-kvm/host_quirks.h"
#include "hw-accel-kvm/kvm_abi.h"
#include "hw-accel-kvm/kvm_vcpu.h"

namespace ringshift {

// What KVM holds of a vCPU. The rest of VcpuState (APIC_BASE, PAT, MTRRs, ...) is the CPU model's alone: the
// MSR filter sends its accesses there. The time-stamp counter is KvmTime's.
struct StateImage {
  kvm_regs regs;
  kvm_sregs2 sregs;
  kvm_xsave xsave;
  kvm_debugregs debug;
  kvm_vcpu_events events;
  u64 sysenter[3];  // CS, ESP, EIP
  u64 tsc_aux;
};

// pending_dr6 and ferr_pending have no place in it.
StateImage image_of(const VcpuState& state, const HostQuirks& quirks = {});
// For registers that are read from KVM and written back.
void apply_quirks(kvm_sregs2& sregs, const HostQuirks& quirks);
// General registers, EIP and EFLAGS alone.
void take_registers(const kvm_regs& regs, VcpuState& state);
// Leaves alone what KVM doesn't hold. Half-delivered events stay in image.events (kvm_events.h).
void take_image(const StateImage& image, VcpuState& state);

// has_tsc_aux: CPUID offers RDTSCP; without it KVM has no such MSR.
Result<void> load_image(const KvmVcpu& vcpu, StateImage& image, bool has_tsc_aux);
Result<StateImage> read_image(const KvmVcpu& vcpu, bool has_tsc_aux);

}  // namespace ringshift
