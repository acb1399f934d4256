// Rounds of runs.
#include "report/runner.h"

#include <fmt/core.h>

#include <algorithm>

#include "report/profile.h"
#include "report/version.h"

namespace ringshift {

namespace {
constexpr double kBochsLingers = 0.5;  // to log that the guest halted

void exclude(ModeResult& result, std::string reason) {
  result.state = ModeState::unavailable;
  result.reason = std::move(reason);
}
}  // namespace

Runner::Runner(Comparison& comparison, RunnerOptions options)
    : comparison_(comparison), options_(std::move(options)) {}

void Runner::tell(const std::string& what, bool passing) const {
  if (options_.progress) options_.progress(what, passing);
}

void Runner::ask_doctor() {
  const ChildOutcome outcome = run_child({.command = {own_program(), "doctor", "--json"}, .timeout_s = 30});
  comparison_.doctor = nlohmann::ordered_json::parse(outcome.serial, nullptr, false);
  if (comparison_.doctor.is_discarded()) comparison_.doctor = nullptr;
  constexpr const char* kCpuName = "/host/cpu/name";
  const nlohmann::ordered_json::json_pointer cpu(kCpuName);
  const bool named = comparison_.doctor.is_object() && comparison_.doctor.contains(cpu);
  comparison_.machine = describe_machine(named ? comparison_.doctor[cpu].get<std::string>() : "");
}

// What can't run for a reason that is known beforehand. Whatever else can't says so when it is run.
void Runner::exclude_unavailable() {
  const auto engines = comparison_.doctor.is_object()
                           ? comparison_.doctor.value("engines", nlohmann::ordered_json())
                           : nlohmann::ordered_json();
  for (ModeResult& result : comparison_.modes) {
    if (!result.mode.missing.empty()) exclude(result, result.mode.missing);
    if (result.mode.engine.empty()) continue;
    for (const auto& engine : engines)
      if (engine.value("name", "") == result.mode.engine && !engine.value("works", true))
        exclude(result, printable(engine.value("why", ""), 400));
  }
}

void Runner::add_emulated() {
  const auto stands_in = [&](const ModeResult& result) {
    return result.state == ModeState::unavailable &&
           std::any_of(options_.emulated.begin(), options_.emulated.end(),
                       [&](const ModeResult& log) { return log.mode.id == "tcg." + result.mode.id; });
  };
  auto& modes = comparison_.modes;
  if (std::none_of(modes.begin(), modes.end(), stands_in)) return;
  for (const ModeResult& log : options_.emulated)
    if (std::none_of(modes.begin(), modes.end(),
                     [&](const ModeResult& other) { return other.mode.id == log.mode.id; }))
      modes.push_back(log);
}

void Runner::prepare_bochs(ModeResult& result) {
  if (result.state == ModeState::unavailable) return;
  auto folder = TemporaryFolder::create();
  if (!folder) return exclude(result, folder.error().message);
  folder_.emplace(std::move(*folder));
  tell("making an ISO of the guest for Bochs");
  if (const auto made = make_iso(folder_->path(), comparison_.workload); !made)
    return exclude(result, made.error().message);
  const auto words = write_bochs_files(folder_->path(), comparison_.workload);
  if (!words) return exclude(result, words.error().message);
  // Its screen is a terminal's, whatever there is here.
  result.mode.command = {"env", "TERM=xterm", result.mode.command.front()};
  result.mode.command.insert(result.mode.command.end(), words->begin(), words->end());
  result.note =
      "Bochs counts an instruction as a cycle and has no clock of the host's: its times are estimated, by "
      "what an "
      "instruction took in the whole run, firmware included";
}

RunRecord Runner::start(const ModeResult& result) {
  const Workload& workload = comparison_.workload;
  RunRecord run;
  ChildRequest request{.command = result.mode.command,
                       .timeout_s = options_.timeout_s,
                       .serial_is_fd3 = result.mode.takes_iso,
                       .kill_at_once = result.mode.takes_iso,
                       .linger_s = result.mode.takes_iso ? kBochsLingers : 0,
                       .interrupt_fd = options_.interrupt_fd};
  request.on_line = [&](std::string_view line, double seconds) {
    for (const Workload::Mark& mark : workload.marks) {
      const bool known = std::any_of(run.marks.begin(), run.marks.end(),
                                     [&](const MarkTime& time) { return time.name == mark.name; });
      if (!known && line.find(mark.text) != std::string_view::npos) run.marks.push_back({mark.name, seconds});
    }
    tell(fmt::format("{}: {}", result.mode.id, printable(line, 60)), true);
    const bool at_end = !workload.end_text.empty() && line.find(workload.end_text) != std::string_view::npos;
    // A guest that ends its machine itself may do so, because its status counts too.
    return !at_end || (workload.ends_with_status && !result.mode.takes_iso);
  };
  run.outcome = run_child(request);
  run.log = parse_guest_log(run.outcome.serial);
  if (result.mode.takes_iso) {
    const u64 ticks = bochs_ticks(folder_->path());
    const double ran_s = run.outcome.wall_s - kBochsLingers;
    // Its log's ns are ticks of 1/50 us (write_bochs_files).
    if (ticks != 0 && ran_s > 0) run.time_scale = ran_s * 1e9 / static_cast<double>(ticks) / 20;
  }
  return run;
}

// False: interrupted.
bool Runner::run_once(ModeResult& result) {
  const RunRecord run = start(result);
  if (run.outcome.kind == ChildOutcome::Kind::interrupted) return false;
  add_run(result, run, comparison_.workload);
  if (result.state == ModeState::complete) return true;
  const auto& doctor = comparison_.doctor;
  if (result.mode.id == "qemu-kvm" && doctor.is_object() && !doctor["kvm"].value("usable", true))
    result.reason += "; " + printable(doctor["kvm"].value("why", ""), 300);
  tell(fmt::format("{}: {}", result.mode.id, result.reason));
  return true;
}

void Runner::name_rows() {
  for (const ModeResult& result : comparison_.modes)
    for (const std::string& name : result.order)
      if (std::find(comparison_.rows.begin(), comparison_.rows.end(), name) == comparison_.rows.end())
        comparison_.rows.push_back(name);
}

bool Runner::profile_all() {
  for (ModeResult& result : comparison_.modes) {
    if (!result.mode.has_stats || result.state == ModeState::unavailable) continue;
    tell(fmt::format("profile of {}: each row alone, with -stats", result.mode.id));
    auto profile = make_profile(result, comparison_, options_.timeout_s, options_.interrupt_fd);
    if (!profile) return false;
    if (*profile) result.profile = std::move(**profile);
  }
  return true;
}

bool Runner::run() {
  ask_doctor();
  exclude_unavailable();
  add_emulated();
  for (ModeResult& result : comparison_.modes) {
    result.version = version_of(result.mode, comparison_.version);
    if (result.mode.takes_iso) prepare_bochs(result);
    if (result.state == ModeState::unavailable) tell(fmt::format("{}: {}", result.mode.id, result.reason));
  }
  for (unsigned round = 0; round < comparison_.runs; ++round)
    for (ModeResult& result : comparison_.modes) {
      if (result.state != ModeState::complete || result.mode.family == Family::import) continue;
      tell(fmt::format("run {} of {}: {}", round + 1, comparison_.runs, result.mode.id));
      if (!run_once(result)) return name_rows(), false;
    }
  name_rows();
  return !options_.profiles || profile_all();
}

}  // namespace ringshift
