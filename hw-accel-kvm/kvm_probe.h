// probe_kvm: finds out by running small guests what this host's KVM can do, and what an exit from one costs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "hw-accel-kvm/kvm_system.h"

namespace ringshift {

struct ProbeOutcome {
  std::string name;
  bool works;
  std::string detail;  // what happened instead
};

struct KvmProbe {
  std::vector<ProbeOutcome> outcomes;
  // The median of some hundred; 0 where it can't be measured.
  double port_exit_ns = 0;
  double mmio_exit_ns = 0;

  bool works(std::string_view name) const;
  // Whether an operating system of this program's guests can run: interrupts in protected mode, and paging.
  bool runs_paged_guests() const;
};

Result<KvmProbe> probe_kvm(const KvmSystem& system);

}  // namespace ringshift
