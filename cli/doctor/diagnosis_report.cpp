// A diagnosis as text for a person, and as JSON.
#include <nlohmann/json.hpp>

#include "cli/doctor/diagnosis.h"

namespace ringshift {

namespace {
constexpr double kMicrosecond = 1000;

std::string cost(double ns) { return ns == 0 ? "not measured" : fmt::format("{:.1f} us", ns / kMicrosecond); }

std::string yes(bool value) { return value ? "yes" : "no"; }

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text.empty() ? "none" : text;
}

std::string kvm_text(const KvmVerdict& kvm) {
  std::string text =
      fmt::format("KVM: {}\n  {}\n  modules: {}\n", name_of(kvm.kind), kvm.why, joined(kvm.evidence.modules));
  if (!kvm.probe) return text;
  text += "  probe guests:\n";
  for (const ProbeOutcome& outcome : kvm.probe->outcomes)
    text +=
        fmt::format("    {:<38} {}\n", outcome.name, outcome.works ? "works" : "fails: " + outcome.detail);
  return text + fmt::format("  an exit costs {} by a port, {} by MMIO\n", cost(kvm.probe->port_exit_ns),
                            cost(kvm.probe->mmio_exit_ns));
}

std::string trap_text(const TrapProbe& trap) {
  std::string text = "Trap and emulate\n";
  for (const TrapCheck& check : trap.checks)
    text += fmt::format("    {:<38} {}\n", check.name, check.works ? "works" : "fails: " + check.detail);
  if (trap.failing() != nullptr) return text;
  text += fmt::format("  a trap costs {}\n", cost(trap.trap_ns));
  text += fmt::format("  CPUID traps: {}\n", trap.cpuid_traps ? "yes" : "no, the guest sees the host's");
  return text + (trap.lowest_mapping == 0
                     ? "  guest code runs at any address\n"
                     : fmt::format("  below {:#x} (vm.mmap_min_addr) the guest is interpreted\n",
                                   trap.lowest_mapping));
}

std::string host_text(const HostFacts& host, const KvmEvidence& evidence) {
  std::string text = fmt::format("Host: {}, {} ({})\n", host.kernel, host.cpu_name, host.cpu_vendor);
  text += evidence.hypervisor ? fmt::format("  a guest of the hypervisor '{}'\n", evidence.hypervisor_name)
                              : "  no hypervisor below it\n";
  text += fmt::format("  CPUID shows VT-x: {}, AMD-V: {}\n", yes(evidence.vmx), yes(evidence.svm));
  text += fmt::format("  TSC: {:.0f} MHz, invariant: {}\n", static_cast<double>(host.tsc_khz) / 1000,
                      yes(host.invariant_tsc));
  text += fmt::format("  vm.max_map_count: {}\n", host.max_map_count);
  text += fmt::format("  memfd: {}, executable: {}\n", yes(host.memfd), yes(host.memfd_executable));
  return text + fmt::format("  huge pages: {} for shared memory, {} free of hugetlb\n",
                            host.shmem_huge_pages.empty() ? "unknown" : host.shmem_huge_pages,
                            host.free_huge_pages);
}

nlohmann::ordered_json kvm_json(const KvmVerdict& kvm) {
  nlohmann::ordered_json json;
  json["device"] = kKvmDevice;
  json["verdict"] = name_of(kvm.kind);
  json["why"] = kvm.why;
  json["modules"] = kvm.evidence.modules;
  json["usable"] = kvm.usable();
  json["probe"] = nlohmann::ordered_json::array();
  json["exit_us"] = nullptr;
  if (!kvm.probe) return json;
  for (const ProbeOutcome& outcome : kvm.probe->outcomes)
    json["probe"].push_back({{"test", outcome.name}, {"works", outcome.works}, {"detail", outcome.detail}});
  json["exit_us"] = {{"port", kvm.probe->port_exit_ns / kMicrosecond},
                     {"mmio", kvm.probe->mmio_exit_ns / kMicrosecond}};
  return json;
}

nlohmann::ordered_json trap_json(const TrapProbe& trap) {
  nlohmann::ordered_json json;
  json["probe"] = nlohmann::ordered_json::array();
  for (const TrapCheck& check : trap.checks)
    json["probe"].push_back({{"test", check.name}, {"works", check.works}, {"detail", check.detail}});
  json["trap_us"] = nullptr;
  if (trap.failing() != nullptr) return json;
  json["trap_us"] = trap.trap_ns / kMicrosecond;
  json["cpuid_traps"] = trap.cpuid_traps;
  json["lowest_address"] = trap.lowest_mapping;
  return json;
}

nlohmann::ordered_json host_json(const HostFacts& host, const KvmEvidence& evidence) {
  nlohmann::ordered_json json;
  json["kernel"] = host.kernel;
  json["cpu"] = {{"vendor", host.cpu_vendor},
                 {"name", host.cpu_name},
                 {"hypervisor", evidence.hypervisor},
                 {"hypervisor_name", evidence.hypervisor_name},
                 {"vmx", evidence.vmx},
                 {"svm", evidence.svm}};
  json["tsc"] = {{"invariant", host.invariant_tsc}, {"khz", host.tsc_khz}};
  json["max_map_count"] = host.max_map_count;
  json["memfd"] = {{"works", host.memfd}, {"executable", host.memfd_executable}};
  json["huge_pages"] = {{"shmem", host.shmem_huge_pages}, {"hugetlb_free", host.free_huge_pages}};
  return json;
}
}  // namespace

std::string diagnosis_text(const Diagnosis& diagnosis) {
  std::string text = "Engines\n";
  for (const EngineHealth& engine : diagnosis.engines)
    text +=
        fmt::format("  {:<7} {:<12} {}\n", engine.name, engine.works ? "works" : "doesn't work", engine.why);
  text += fmt::format("  {:<7} takes {}\n\n", "auto", diagnosis.automatic);
  text += kvm_text(diagnosis.kvm) + "\n" + trap_text(diagnosis.trap) + "\n" +
          host_text(diagnosis.host, diagnosis.kvm.evidence);
  if (diagnosis.advice.empty()) return text;
  text += "\nWhat to change\n";
  for (const std::string& line : diagnosis.advice) text += "  " + line + "\n";
  return text;
}

std::string diagnosis_json(const Diagnosis& diagnosis) {
  nlohmann::ordered_json json;
  json["engines"] = nlohmann::ordered_json::array();
  for (const EngineHealth& engine : diagnosis.engines)
    json["engines"].push_back({{"name", engine.name}, {"works", engine.works}, {"why", engine.why}});
  json["auto"] = diagnosis.automatic;
  json["kvm"] = kvm_json(diagnosis.kvm);
  json["trap"] = trap_json(diagnosis.trap);
  json["host"] = host_json(diagnosis.host, diagnosis.kvm.evidence);
  json["advice"] = diagnosis.advice;
  // CPUID's and the kernel's names may hold bytes that aren't UTF-8.
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace ringshift
