// Diagnosis: which engines work on a host, why not, and what to change: `ringshift doctor`.
#pragma once

#include <string>
#include <vector>

#include "cli/doctor/host_facts.h"
#include "direct-exec/trap_probe.h"
#include "hw-accel-kvm/kvm_verdict.h"

namespace ringshift {

struct EngineHealth {
  std::string name;  // as -engine takes it
  bool works;
  std::string why;
};

struct Diagnosis {
  HostFacts host;
  KvmVerdict kvm;
  TrapProbe trap;
  std::vector<EngineHealth> engines;
  std::string automatic;  // what -engine auto takes
  std::vector<std::string> advice;
};

Diagnosis diagnose(HostFacts host, KvmVerdict kvm, TrapProbe trap);
std::string diagnosis_text(const Diagnosis& diagnosis);
std::string diagnosis_json(const Diagnosis& diagnosis);

}  // namespace ringshift
