// From facts to what works, and what to change.
#include "cli/doctor/diagnosis.h"

#include "hw-accel-kvm/probe_guests.h"
#include "machine/engine_choice.h"

namespace ringshift {

namespace {
EngineHealth health_of_interp(const HostFacts& host) {
  if (!host.memfd) return {"interp", false, "guest RAM is a memfd, and this host gives none"};
  return {"interp", true, "one instruction at a time; needs nothing of the host"};
}

EngineHealth health_of_bt(const HostFacts& host) {
  if (!host.memfd) return {"bt", false, "guest RAM is a memfd, and this host gives none"};
  if (!host.memfd_executable)
    return {"bt", false, "translated code can't be mapped executable (noexec policy for memfd)"};
  return {"bt", true, "binary translation; the default"};
}

EngineHealth health_of_kvm(const KvmVerdict& kvm) {
  if (kvm.probe && !kvm.probe->runs_paged_guests()) {
    std::string failing;
    for (const ProbeOutcome& outcome : kvm.probe->outcomes)
      if (!outcome.works) failing += (failing.empty() ? "" : ", ") + outcome.name;
    return {"kvm", false, kvm.why + "; of the probe guests these fail: " + failing};
  }
  return {"kvm", kvm.probe.has_value(), kvm.why};
}

EngineHealth health_of_trap(const TrapProbe& trap) {
  if (const TrapCheck* const failing = trap.failing())
    return {"trap", false, failing->name + ": " + failing->detail};
  constexpr double kMicrosecond = 1000;
  return {"trap", true,
          fmt::format("the guest's code in processes that are traced, a lesson; a trap costs {:.1f} us",
                      trap.trap_ns / kMicrosecond)};
}

void advise_on_kvm(const KvmVerdict& kvm, std::vector<std::string>& advice) {
  switch (kvm.kind) {
    case KvmKind::absent:
      advice.push_back(
          kvm.evidence.vmx || kvm.evidence.svm
              ? "The CPU has VT-x or AMD-V: load KVM's module (modprobe kvm-intel or kvm-amd)."
          : kvm.evidence.hypervisor
              ? "This is a guest of another hypervisor: for -engine kvm turn nested virtualization on there."
              : "Turn VT-x or AMD-V on in the firmware, if the CPU has it.");
      break;
    case KvmKind::forbidden:
      advice.push_back("Join the group of /dev/kvm (as root: usermod -aG kvm USER), then log in again.");
      break;
    case KvmKind::software:
      advice.push_back("Use -engine bt: this host's KVM is software.");
      break;
    case KvmKind::unfit:
    case KvmKind::nested:
    case KvmKind::hardware:
      break;
  }
}

void advise_on_host(const HostFacts& host, std::vector<std::string>& advice) {
  constexpr u64 kEnoughMaps = 65530;
  if (host.max_map_count != 0 && host.max_map_count < kEnoughMaps)
    advice.push_back(
        fmt::format("vm.max_map_count is {}: windows of -engine bt need many mappings; set {} or more "
                    "(sysctl vm.max_map_count={}), or use -bt-memory soft.",
                    host.max_map_count, kEnoughMaps, kEnoughMaps));
  if (!host.memfd_executable && host.memfd)
    advice.emplace_back(
        "Allow executable memfds (sysctl vm.memfd_noexec=0, or the policy of SELinux) for -engine bt.");
  if (!host.invariant_tsc)
    advice.emplace_back(
        "The TSC is not invariant: guest time comes from the kernel's clock, and RDTSC is slower.");
}
void advise_on_trap(const TrapProbe& trap, std::vector<std::string>& advice) {
  const TrapCheck* const failing = trap.failing();
  if (failing == nullptr) return;
  if (failing->name == kTrapProcess)
    advice.emplace_back(
        "Allow ptrace of children (kernel.yama.ptrace_scope below 3, or the container's policy) for -engine "
        "trap.");
  if (failing->name == kTrapSegments)
    advice.emplace_back(
        "-engine trap needs a kernel with CONFIG_MODIFY_LDT_SYSCALL, and a policy that allows modify_ldt.");
}
}  // namespace

Diagnosis diagnose(HostFacts host, KvmVerdict kvm, TrapProbe trap) {
  Diagnosis diagnosis{std::move(host), std::move(kvm), std::move(trap), {}, {}, {}};
  diagnosis.engines = {health_of_interp(diagnosis.host), health_of_bt(diagnosis.host),
                       health_of_kvm(diagnosis.kvm), health_of_trap(diagnosis.trap)};
  diagnosis.automatic = choose_engine(diagnosis.kvm).engine == EngineKind::kvm ? "kvm" : "bt";
  advise_on_kvm(diagnosis.kvm, diagnosis.advice);
  advise_on_trap(diagnosis.trap, diagnosis.advice);
  advise_on_host(diagnosis.host, diagnosis.advice);
  return diagnosis;
}

}  // namespace ringshift
