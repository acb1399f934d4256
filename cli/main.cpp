// The program.
#include <fcntl.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "base/messages.h"
#include "cli/compare_command.h"
#include "cli/doctor/diagnosis.h"
#include "cli/exit_status.h"
#include "cli/explain_command.h"
#include "cli/lockstep_command.h"
#include "cli/options.h"
#include "cli/run_command.h"
#include "direct-exec/compatibility_mode.h"

namespace {
int print(const std::string& text) {
  return ringshift::put_stdout(text) ? ringshift::kExitSuccess : ringshift::kExitInternal;
}

// A descriptor 0, 1 or 2 that was closed would be the next file that is opened, and what is said to the user
// would go into it. One that can't be written reports an error to who writes, as a closed one does.
void fill_standard_descriptors() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(fd, F_GETFD) < 0) ::open("/dev/null", O_RDONLY);
}
}  // namespace

int main(int argc, char** argv) {
  using namespace ringshift;
  fill_standard_descriptors();
  const auto command = parse_command_line(std::vector<std::string>(argv + 1, argv + argc));
  if (!command) return complain(command.error());
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
