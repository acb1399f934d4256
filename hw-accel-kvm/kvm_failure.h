// What to say when KVM gives up on a guest.
#pragma once

#include <string>

#include "cpu-model/vcpu_state.h"
#include "hw-accel-kvm/kvm_abi.h"

namespace ringshift {

// KVM_EXIT_INTERNAL_ERROR, FAIL_ENTRY and exits that this engine doesn't know, with the guest's state.
std::string describe_failure(const kvm_run& run, const VcpuState& state);
// The vCPU was shut down, and this KVM runs no paged guests: it shuts down whoever turns paging on.
std::string describe_no_paging(const VcpuState& state);

}  // namespace ringshift
