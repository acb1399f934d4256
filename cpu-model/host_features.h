// HostFeatures: which of the features that a CPU model may promise this host's CPU can execute.
#pragma once

#include "cpu-model/cpu_feature.h"

namespace ringshift {

// Guest instructions of these run on the host's own units, in translated code and in the interpreter alike;
// all other features are the model's own work, or part of every x86-64 CPU.
class HostFeatures {
 public:
  // Asks CPUID, which traps to a hypervisor where the host is a guest itself (3.5 us): once for each machine.
  static HostFeatures of_this_host();
  // For tests: a host that has all of them.
  static HostFeatures all();

  HostFeatures without(CpuFeature feature) const;
  bool has(CpuFeature feature) const;

 private:
  explicit HostFeatures(u64 missing) : missing_(missing) {}
  u64 missing_;  // bit number: CpuFeature
};

}  // namespace ringshift
