// Two engines in lockstep, from the command line.
#include "cli/lockstep_command.h"

#include <fmt/core.h>

#include "base/host_clock.h"
#include "base/messages.h"
#include "cli/exit_status.h"
#include "cli/output_files.h"
#include "hw-accel-kvm/kvm_verdict.h"
#include "machine/lockstep/lockstep.h"

namespace ringshift {

namespace {
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
  outputs.serial = RS_TRY(file_output(command.run.serial));
  if (command.run.debugcon) outputs.debugcon = RS_TRY(file_output(*command.run.debugcon));
  LockstepOptions options{.every = command.every};
  if (command.limit) options.limit = *command.limit;
  options.progress = [](const std::string& what) { put_stderr("lockstep: " + what + "\n"); };
  const u64 begin = host_clock_ns();
  Lockstep lockstep(command.run.machine, options);
  const LockstepReport report = RS_TRY(lockstep.run(std::move(outputs)));
  const double seconds = static_cast<double>(host_clock_ns() - begin) * 1e-9;
  if (report.differ) {
    put_stderr(fmt::format("lockstep: {}lockstep: {:.1f} s\n", report.text, seconds));
    return kExitDiffer;
  }
  put_stderr(
      fmt::format("lockstep: the engines agree: {} instructions, compared {} times, in {:.1f} s ({})\n",
                  report.instructions, report.comparisons, seconds, outcome_name(report.ended)));
  put_stderr(report.notes);
  return kExitSuccess;
}
}  // namespace

int lockstep_command(const LockstepCommand& command) {
  const auto status = run_lockstep(command);
  return status ? *status : complain(status.error());
}

}  // namespace ringshift
