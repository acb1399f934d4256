// Two engines in lockstep, from the command line.
#include "cli/lockstep_command.h"

#include <fmt/core.h>

#include "base/host_clock.h"
#include "cli/exit_status.h"
#include "devices/backend/file_backend.h"
#include "hw-accel-kvm/kvm_verdict.h"
#include "machine/lockstep/lockstep.h"

namespace ringshift {

namespace {
Result<std::unique_ptr<CharBackend>> output_to(const CharTarget& target) {
  if (target.kind != CharTarget::Kind::file) return std::make_unique<NullBackend>();
  return std::make_unique<FileBackend>(RS_TRY(FileBackend::create(target.path)));
}

// KVM has to be one that runs the guest's code on a CPU, in every mode.
Result<void> check_kvm() {
  const KvmVerdict verdict = judge_this_host();
  if (verdict.usable()) return {};
  return fail(
      ErrorKind::engine_unavailable,
      "lockstep with kvm needs a KVM that runs guests on the CPU, and this host has none: {} (`ringshift "
      "doctor` says more; tests/kvm-rig runs it in an emulated machine)",
      verdict.why);
}

Result<int> run_lockstep(const LockstepCommand& command) {
  if (command.run.machine.has_engine(EngineKind::kvm)) RS_TRY(check_kvm());
  MachineBackends outputs;
  outputs.serial = RS_TRY(output_to(command.run.serial));
  if (command.run.debugcon) outputs.debugcon = RS_TRY(output_to(*command.run.debugcon));
  LockstepOptions options{.every = command.every};
  if (command.limit) options.limit = *command.limit;
  options.progress = [](const std::string& what) { fmt::print(stderr, "lockstep: {}\n", what); };
  const u64 begin = host_clock_ns();
  Lockstep lockstep(command.run.machine, options);
  const LockstepReport report = RS_TRY(lockstep.run(std::move(outputs)));
  const double seconds = static_cast<double>(host_clock_ns() - begin) * 1e-9;
  if (report.differ) {
    fmt::print(stderr, "lockstep: {}lockstep: {:.1f} s\n", report.text, seconds);
    return kExitDiffer;
  }
  fmt::print(stderr, "lockstep: the engines agree: {} instructions, compared {} times, in {:.1f} s ({})\n",
             report.instructions, report.comparisons, seconds, outcome_name(report.ended));
  fmt::print(stderr, "{}", report.notes);
  return kExitSuccess;
}
}  // namespace

int lockstep_command(const LockstepCommand& command) {
  const auto status = run_lockstep(command);
  if (status) return *status;
  fmt::print(stderr, "ringshift: {}\n", status.error().message);
  return exit_status_of(status.error().kind);
}

}  // namespace ringshift
