// Running a machine from the command line.
#include "cli/run_command.h"

#include <fmt/core.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "base/messages.h"
#include "cli/console_backend.h"
#include "cli/exit_status.h"
#include "cli/host_events.h"
#include "cli/monitor_socket.h"
#include "cli/output_files.h"
#include "cli/terminal.h"
#include "devices/backend/file_backend.h"
#include "machine/engine_choice.h"
#include "machine/machine.h"
#include "machine/monitor.h"
#include "machine/stats_report.h"

namespace ringshift {

namespace {
// What panic() prints and saves; a panic has no argument to carry them.
Machine* panicking_machine = nullptr;
HostEvents* panicking_events = nullptr;

void dump_at_panic() {
  if (panicking_events != nullptr) panicking_events->output().emergency_flush();
  restore_terminal();
  if (panicking_machine != nullptr)
    put_stderr("state of the virtual CPU:\n" + panicking_machine->describe_cpu() + "\n");
}

Result<std::unique_ptr<CharBackend>> make_backend(const CharTarget& target, HostEvents& events) {
  switch (target.kind) {
    case CharTarget::Kind::stdio:
      return std::make_unique<ConsoleBackend>(events);
    case CharTarget::Kind::file:
      return std::make_unique<FileBackend>(RS_TRY(FileBackend::create(target.path)));
    case CharTarget::Kind::null:
      break;
  }
  return std::make_unique<NullBackend>();
}

Result<Tracer> make_tracer(const RunOptions& options) {
  Tracer tracer;
  if (!options.trace_words.empty()) RS_TRY(tracer.enable(options.trace_words));
  if (!options.trace_file.empty()) RS_TRY(tracer.open(options.trace_file.c_str()));
  return tracer;
}

// How the I/O thread's events reach the machine.
HostEventHandlers handlers_for(Machine& machine, ConsoleBackend* console, HostEvents& events,
                               int& stop_status, int& stop_signal) {
  HostEventHandlers handlers;
  handlers.input = [&machine, console](std::vector<u8> bytes) {
    machine.post([console, typed = std::move(bytes)] { console->type(typed); });
  };
  handlers.monitor = [&machine, &events](const std::string& line) {
    machine.post_between_runs([&machine, &events, line] {
      const std::string text = monitor_command(machine, line) + "(ringshift) ";
      events.output().put({reinterpret_cast<const u8*>(text.data()), text.size()});
    });
  };
  handlers.stop = [&](int status, int signal) {
    stop_status = status;
    stop_signal = signal;
    machine.request_stop();
  };
  return handlers;
}

// Prints or writes -stats; false if the file can't be written.
bool write_stats(const Machine& machine, const RunOptions& options) {
  if (options.stats == StatsFormat::none) return true;
  StatsReport report;
  machine.report(report);
  if (options.stats == StatsFormat::human) {
    put_stderr(report.text());
    return true;
  }
  const auto written = write_file(options.stats_file, report.json());
  if (!written) tell("-stats: {}", written.error().message);
  return written.has_value();
}

int status_of(const RunOutcome& outcome, int stop_status) {
  switch (outcome.kind) {
    case RunOutcome::Kind::power_off:
    case RunOutcome::Kind::reset:
      return kExitSuccess;
    case RunOutcome::Kind::guest_exit:
      return outcome.status;
    case RunOutcome::Kind::triple_fault:
      tell("the guest triple-faulted\n{}", outcome.message);
      return kExitTripleFault;
    case RunOutcome::Kind::domain_crash:
      tell("the guest's domain crashed: {}", outcome.message);
      return kExitTripleFault;
    case RunOutcome::Kind::stopped:
    case RunOutcome::Kind::reached:
      return stop_status;
    case RunOutcome::Kind::failed:
      break;
  }
  return complain(*outcome.error);
}

// Ends as a program does that the signal killed, now that everything is put in order.
[[noreturn]] void die_of(int signal) {
  if (std::fflush(nullptr) != 0) tell("output to a file is lost: {}", std::strerror(errno));
  ::signal(signal, SIG_DFL);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  ::raise(signal);
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  ::_exit(128 + signal);
}

// Counting instructions and verifying are bt's alone, so there is nothing to choose then.
RunOptions with_chosen_engine(RunOptions options) {
  if (!options.automatic_engine) return options;
  if (options.machine.icount_shift || options.machine.bt_verify ||
      options.machine.guest_abi == GuestAbi::xen_pv) {
    tell("-engine auto takes bt: -icount, -d verify and -guest-abi xen-pv need it");
    return options;
  }
  const EngineChoice choice = choose_engine(judge_this_host());
  options.machine.engines = {choice.engine};
  tell("-engine auto takes {}: {}", choice.engine == EngineKind::kvm ? "kvm" : "bt", choice.why);
  return options;
}

Result<int> run_machine(const RunOptions& options) {
  restore_terminal_on_crash();  // before engines install handlers of their own, which fall back on these
  HostEvents events;
  MachineBackends backends;
  backends.serial = RS_TRY(make_backend(options.serial, events));
  if (options.debugcon) backends.debugcon = RS_TRY(make_backend(*options.debugcon, events));
  const bool on_terminal = options.serial.kind == CharTarget::Kind::stdio;
  auto* console = on_terminal ? static_cast<ConsoleBackend*>(backends.serial.get()) : nullptr;
  std::unique_ptr<MonitorSocket> monitor;
  if (!options.monitor_path.empty()) monitor = RS_TRY(MonitorSocket::create(options.monitor_path));
  Tracer tracer = RS_TRY(make_tracer(options));
  RS_TRY(check_writable(options.stats_file));
  const auto machine = RS_TRY(Machine::create(options.machine, std::move(backends), std::move(tracer)));

  panicking_machine = machine.get();
  panicking_events = &events;
  set_panic_dump(dump_at_panic);
  int stop_status = kExitSuccess;
  int stop_signal = 0;
  events.start({.input = on_terminal, .timeout_seconds = options.timeout_seconds},
               handlers_for(*machine, console, events, stop_status, stop_signal));
  if (monitor != nullptr)
    monitor->start([&machine = *machine](std::string line, MonitorSocket::Reply reply) {
      machine.post_between_runs([&machine, line = std::move(line), reply = std::move(reply)] {
        reply(monitor_command(machine, line));
      });
    });
  const RunOutcome outcome = machine->run();
  if (monitor != nullptr) monitor->finish();
  events.finish();
  set_panic_dump(nullptr);
  int status = status_of(outcome, stop_status);
  if (!write_stats(*machine, options) && status == kExitSuccess) status = kExitInternal;
  if (outcome.kind == RunOutcome::Kind::stopped && stop_signal != 0) die_of(stop_signal);
  return status;
}
}  // namespace

int run_command(const RunOptions& given) {
  const RunOptions options = with_chosen_engine(given);
  if (options.machine.has_engine(EngineKind::kvm))
    for (const std::string& note : kvm_notes(options.machine.cpu_model)) tell("{}", note);
  const auto status = run_machine(options);
  return status ? *status : complain(status.error());
}

}  // namespace ringshift
