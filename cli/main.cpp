// The program.
#include <fmt/core.h>

#include <cstdio>
#include <string>
#include <vector>

#include "cli/compare_command.h"
#include "cli/doctor/diagnosis.h"
#include "cli/exit_status.h"
#include "cli/explain_command.h"
#include "cli/lockstep_command.h"
#include "cli/options.h"
#include "cli/run_command.h"

namespace {
int print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  return std::fflush(stdout) == 0 ? ringshift::kExitSuccess : ringshift::kExitInternal;
}
}  // namespace

int main(int argc, char** argv) {
  using namespace ringshift;
  const auto command = parse_command_line(std::vector<std::string>(argv + 1, argv + argc));
  if (!command) {
    fmt::print(stderr, "ringshift: {}\n", command.error().message);
    return exit_status_of(command.error().kind);
  }
  if (const auto* text = std::get_if<std::string>(&*command)) return print(*text);
  if (const auto* doctor = std::get_if<DoctorOptions>(&*command)) {
    const Diagnosis diagnosis = diagnose(HostFacts::of_this_host(), judge_this_host(), probe_trap());
    return print(doctor->json ? diagnosis_json(diagnosis) : diagnosis_text(diagnosis));
  }
  if (const auto* lockstep = std::get_if<LockstepCommand>(&*command)) return lockstep_command(*lockstep);
  if (const auto* compare = std::get_if<CompareOptions>(&*command)) return compare_command(*compare);
  if (const auto* explain = std::get_if<ExplainCommand>(&*command)) return explain_command(*explain);
  return run_command(std::get<RunOptions>(*command));
}
