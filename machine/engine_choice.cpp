// The choice of -engine auto.
#include "machine/engine_choice.h"

#include "hw-accel-kvm/kvm_cpuid.h"

namespace ringshift {

EngineChoice choose_engine(const KvmVerdict& verdict) {
  return {verdict.usable() ? EngineKind::kvm : EngineKind::bt, verdict.why};
}

std::vector<std::string> kvm_notes(const std::string& cpu_model) {
  std::vector<std::string> notes;
  const auto system = KvmSystem::open();
  if (!system) return notes;  // the engine says why
  if (KvmEvidence::of_this_host().has_module("kvm_pvm"))
    notes.emplace_back(
        "/dev/kvm is software here (PVM), where operating systems don't run; see `ringshift doctor`");
  const HostFeatures host = HostFeatures::of_this_host();
  const auto given = kvm_host_features(*system, host);
  if (!given) return notes;
  const auto whole = CpuidTable::create(cpu_model, host), kept = CpuidTable::create(cpu_model, *given);
  if (!whole || !kept) return notes;
  std::string missing;
  for (const CpuidFeatureBit& bit : cpuid_feature_bits())
    if (whole->has(bit.feature) && !kept->has(bit.feature)) missing += " " + std::string(bit.name);
  if (!missing.empty()) notes.push_back("CPU features that this host's KVM can't give, left out:" + missing);
  return notes;
}

}  // namespace ringshift
