// KVM's failures in words.
#include "hw-accel-kvm/kvm_failure.h"

#include <fmt/format.h>

#include <algorithm>

#include "cpu-model/triple_fault.h"

namespace ringshift {

namespace {
constexpr const char* kWhatToDo = "-engine bt runs this guest without KVM.";

// The instruction that KVM could not emulate, if it says so
// (KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES).
std::string instruction_bytes(const kvm_run& run) {
  if (run.emulation_failure.ndata < 3 ||
      (run.emulation_failure.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES) == 0)
    return {};
  std::string text = ", instruction bytes";
  const unsigned size =
      std::min<unsigned>(run.emulation_failure.insn_size, sizeof run.emulation_failure.insn_bytes);
  for (unsigned i = 0; i < size; ++i) text += fmt::format(" {:02x}", run.emulation_failure.insn_bytes[i]);
  return text;
}

std::string internal_error(const kvm_run& run) {
  switch (run.internal.suberror) {
    case KVM_INTERNAL_ERROR_EMULATION:
      return "KVM could not emulate an instruction" + instruction_bytes(run);
    case KVM_INTERNAL_ERROR_SIMUL_EX:
      return "KVM met two exceptions at once";
    case KVM_INTERNAL_ERROR_DELIVERY_EV:
      return "KVM could not deliver an exception or interrupt: its table or stack is not in RAM";
    case KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON:
      return "KVM met an exit of the hardware that it does not know";
    default:
      return fmt::format("KVM reports internal error {}", run.internal.suberror);
  }
}

std::string what_happened(const kvm_run& run) {
  switch (run.exit_reason) {
    case KVM_EXIT_INTERNAL_ERROR:
      return internal_error(run);
    case KVM_EXIT_FAIL_ENTRY:
      return fmt::format("the hardware refused to enter the guest, reason {:#x}",
                         run.fail_entry.hardware_entry_failure_reason);
    case KVM_EXIT_UNKNOWN:
      return fmt::format("KVM met a hardware exit that it does not know, {:#x}", run.hw.hardware_exit_reason);
    default:
      return fmt::format("KVM left the guest for reason {}, which this program does not know",
                         run.exit_reason);
  }
}
}  // namespace

std::string describe_failure(const kvm_run& run, const VcpuState& state) {
  return fmt::format("engine kvm: {}. {} The guest's state:\n{}", what_happened(run), kWhatToDo,
                     describe_state(state));
}

std::string describe_no_paging(const VcpuState& state) {
  return fmt::format(
      "engine kvm: the vCPU was shut down, and this host's KVM runs no guest with 32-bit paging (`ringshift "
      "doctor` "
      "says more). {} The guest's state:\n{}",
      kWhatToDo, describe_state(state));
}

}  // namespace ringshift
