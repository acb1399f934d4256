// Telling the kinds of KVM apart.
#include "hw-accel-kvm/kvm_verdict.h"

#include <cpuid.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/bits.h"

namespace ringshift {

namespace {
std::string hypervisor_signature() {
  constexpr unsigned kHypervisorLeaf = 0x40000000;
  unsigned eax;
  unsigned parts[3];
  __cpuid(kHypervisorLeaf, eax, parts[0], parts[1], parts[2]);
  char text[sizeof parts + 1] = {};
  std::memcpy(text, parts, sizeof parts);
  return text;
}

// /dev/kvm's errno, or 0.
int open_error_of(const char* path) {
  const UniqueFd fd(::open(path, O_RDWR | O_CLOEXEC));
  return fd ? 0 : errno;
}

KvmVerdict without_probe(const KvmEvidence& evidence, const std::string& message, int open_error) {
  const bool absent = open_error == ENOENT || open_error == ENODEV || open_error == ENXIO;
  const bool forbidden = open_error == EACCES || open_error == EPERM;
  return {absent      ? KvmKind::absent
          : forbidden ? KvmKind::forbidden
                      : KvmKind::unfit,
          message, evidence, std::nullopt};
}

std::string software_reason(const KvmEvidence& evidence, const KvmProbe& probe) {
  std::string text =
      evidence.has_module("kvm_pvm")
          ? "/dev/kvm is software here: the module kvm_pvm (PVM), not VT-x or AMD-V"
          : "/dev/kvm is software here: neither kvm_intel nor kvm_amd is there, and the CPU shows "
            "neither VT-x nor AMD-V";
  if (!probe.runs_paged_guests()) text += "; guests with 32-bit paging don't run on it";
  return text;
}
}  // namespace

const char* name_of(KvmKind kind) {
  switch (kind) {
    case KvmKind::absent:
      return "absent";
    case KvmKind::forbidden:
      return "forbidden";
    case KvmKind::unfit:
      return "unfit";
    case KvmKind::software:
      return "software";
    case KvmKind::nested:
      return "nested";
    case KvmKind::hardware:
      return "hardware";
  }
  return "";
}

KvmEvidence KvmEvidence::of_this_host(const char* modules_folder) {
  KvmEvidence evidence;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(modules_folder, error))
    if (const std::string name = entry.path().filename(); name.starts_with("kvm"))
      evidence.modules.push_back(name);
  std::sort(evidence.modules.begin(), evidence.modules.end());
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  __get_cpuid(1, &eax, &ebx, &ecx, &edx);
  evidence.vmx = has_bit(ecx, 5);
  evidence.hypervisor = has_bit(ecx, 31);
  if (evidence.hypervisor) evidence.hypervisor_name = hypervisor_signature();
  if (__get_cpuid(0x80000001, &eax, &ebx, &ecx, &edx) != 0) evidence.svm = has_bit(ecx, 2);
  return evidence;
}

bool KvmEvidence::has_module(const char* name) const {
  return std::find(modules.begin(), modules.end(), name) != modules.end();
}

bool KvmVerdict::usable() const {
  return (kind == KvmKind::nested || kind == KvmKind::hardware) && probe && probe->runs_paged_guests();
}

KvmVerdict judge(const KvmEvidence& evidence, const Result<KvmProbe>& probe, int open_error) {
  if (!probe) return without_probe(evidence, probe.error().message, open_error);
  // Modules that are built in don't show in /sys/module unless they have parameters, so the CPU is asked too.
  const bool module = evidence.has_module("kvm_intel") || evidence.has_module("kvm_amd");
  const bool real = !evidence.has_module("kvm_pvm") && (module || evidence.vmx || evidence.svm);
  if (!real) return {KvmKind::software, software_reason(evidence, *probe), evidence, *probe};
  std::string why = evidence.hypervisor
                        ? fmt::format("/dev/kvm is nested: VT-x or AMD-V given by another hypervisor ({})",
                                      evidence.hypervisor_name)
                        : "/dev/kvm is hardware: VT-x or AMD-V of this CPU";
  if (evidence.hypervisor_name == "TCGTCGTCGTCG") why += ", which emulates it";
  if (!probe->runs_paged_guests()) why += "; but a probe guest with 32-bit paging fails on it";
  return {evidence.hypervisor ? KvmKind::nested : KvmKind::hardware, why, evidence, *probe};
}

KvmVerdict judge_this_host() {
  const KvmEvidence evidence = KvmEvidence::of_this_host();
  const int error = open_error_of(kKvmDevice);
  const auto system = KvmSystem::open();
  if (!system) return judge(evidence, tl::unexpected(system.error()), error);
  return judge(evidence, probe_kvm(*system), 0);
}

}  // namespace ringshift
