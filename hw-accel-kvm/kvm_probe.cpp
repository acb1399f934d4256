// Running the probe guests.
#include "hw-accel-kvm/kvm_probe.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/host_clock.h"
#include "hw-accel-kvm/kvm_cpuid.h"
#include "hw-accel-kvm/kvm_vcpu.h"
#include "hw-accel-kvm/kvm_watchdog.h"
#include "hw-accel-kvm/probe_guests.h"
#include "hw-accel-kvm/state_image.h"
#include "memory/guest_memory.h"

namespace ringshift {

namespace {
// A machine with one probe guest in it.
struct Probe {
  GuestMemory memory;
  KvmVm vm;
  KvmVcpu vcpu;
};

Result<Probe> make_probe(const KvmSystem& system, const ProbeGuest& guest) {
  GuestMemory memory = RS_TRY(GuestMemory::create(kProbeMemory));
  for (const auto& [at, bytes] : guest.memory) std::memcpy(memory.base() + at, bytes.data(), bytes.size());
  KvmVm vm = RS_TRY(KvmVm::create(system));
  KvmVcpu vcpu = RS_TRY(KvmVcpu::create(system, vm));
  const HostFeatures features = RS_TRY(kvm_host_features(system, HostFeatures::of_this_host()));
  const CpuidTable cpuid = RS_TRY(CpuidTable::create("n270", features));
  RS_TRY(load_cpuid(vcpu, cpuid));
  RS_TRY(vm.set_slot(0, {0, kProbeMemory, memory.base(), false, false}));
  StateImage image = image_of(guest.state, HostQuirks::of_this_host());
  RS_TRY(load_image(vcpu, image, cpuid.has(CpuFeature::rdtscp)));
  return Probe{std::move(memory), std::move(vm), std::move(vcpu)};
}

std::string unexpected_exit(const kvm_run& run) {
  switch (run.exit_reason) {
    case KVM_EXIT_SHUTDOWN:
      return "the vCPU was shut down";
    case KVM_EXIT_INTERNAL_ERROR:
      return fmt::format("KVM's internal error {}", run.internal.suberror);
    case KVM_EXIT_FAIL_ENTRY:
      return fmt::format("the hardware refused entry, reason {:#x}",
                         run.fail_entry.hardware_entry_failure_reason);
    default:
      return fmt::format("exit {}", run.exit_reason);
  }
}

// Empty if the answer came.
std::string run_guest(Probe& probe) {
  const kvm_run& run = probe.vcpu.shared();
  const KvmWatchdog watchdog;
  const int error = probe.vcpu.run();
  if (error == EINTR) return "it did not come back";
  if (error != 0) return std::strerror(error);
  if (run.exit_reason != KVM_EXIT_IO || run.io.port != kProbePort) return unexpected_exit(run);
  const u8 answer = *(reinterpret_cast<const u8*>(&run) + run.io.data_offset);
  return answer == kProbeAnswer ? std::string() : fmt::format("wrong result, {:#x}", answer);
}

ProbeOutcome outcome_of(const KvmSystem& system, const ProbeGuest& guest) {
  auto probe = make_probe(system, guest);
  const std::string detail = probe ? run_guest(*probe) : probe.error().message;
  return {std::string(guest.name), detail.empty(), detail};
}

// The median time from one exit to the next, in nanoseconds.
Result<double> exit_cost(const KvmSystem& system, const ProbeGuest& guest, u32 count, u32 reason) {
  Probe probe = RS_TRY(make_probe(system, guest));
  const KvmWatchdog watchdog;
  std::vector<u64> times;
  u64 last = host_clock_ns();
  for (u32 i = 0; i < count; ++i) {
    if (probe.vcpu.run() != 0 || probe.vcpu.shared().exit_reason != reason) break;
    const u64 now = host_clock_ns();
    times.push_back(now - last);
    last = now;
  }
  if (times.size() < count / 2) return 0.0;
  std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2), times.end());
  return static_cast<double>(times[times.size() / 2]);
}
}  // namespace

bool KvmProbe::works(std::string_view name) const {
  return std::any_of(outcomes.begin(), outcomes.end(),
                     [&](const ProbeOutcome& outcome) { return outcome.name == name && outcome.works; });
}

bool KvmProbe::runs_paged_guests() const {
  return works(kProbeRealMode) && works(kProbeProtectedInterrupt) && works(kProbePaging) && works(kProbePae);
}

Result<KvmProbe> probe_kvm(const KvmSystem& system) {
  KvmProbe probe;
  for (const ProbeGuest& guest : probe_guests()) probe.outcomes.push_back(outcome_of(system, guest));
  constexpr u32 kExits = 300;
  probe.port_exit_ns = RS_TRY(exit_cost(system, port_exit_guest(kExits), kExits, KVM_EXIT_IO));
  probe.mmio_exit_ns = RS_TRY(exit_cost(system, mmio_exit_guest(kExits), kExits, KVM_EXIT_MMIO));
  return probe;
}

}  // namespace ringshift
