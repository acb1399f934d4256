// The machine's CPUID table given to KVM, and what of it this host's KVM can't give.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "cpu-model/cpuid.h"
#include "cpu-model/host_features.h"
#include "hw-accel-kvm/kvm_vcpu.h"

namespace ringshift {

// `host` without the features that KVM doesn't support here: the machine's CPUID table is made of what all
// its engines can give (design: CPUID is frozen when the machine is made).
Result<HostFeatures> kvm_host_features(const KvmSystem& system, HostFeatures host);
Result<void> load_cpuid(const KvmVcpu& vcpu, const CpuidTable& table);

}  // namespace ringshift
