// choose_engine: what -engine auto takes on this host, and why.
#pragma once

#include <string>
#include <vector>

#include "hw-accel-kvm/kvm_verdict.h"
#include "machine/machine_config.h"

namespace ringshift {

struct EngineChoice {
  EngineKind engine;
  std::string why;  // a sentence
};

// KVM where it is VT-x or AMD-V and runs the probe guests, else bt.
EngineChoice choose_engine(const KvmVerdict& verdict);

// What the user of -engine kvm should know before the guest starts: a software KVM, CPU features that it
// can't give.
std::vector<std::string> kvm_notes(const std::string& cpu_model);

}  // namespace ringshift
