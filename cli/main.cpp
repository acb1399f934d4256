// The program.
#include <fmt/core.h>

#include <cstdio>
#include <string>
#include <vector>

#include "cli/exit_status.h"
#include "cli/lockstep_command.h"
#include "cli/options.h"
#include "cli/run_command.h"

int main(int argc, char** argv) {
  using namespace ringshift;
  const auto command = parse_command_line(std::vector<std::string>(argv + 1, argv + argc));
  if (!command) {
    fmt::print(stderr, "ringshift: {}\n", command.error().message);
    return exit_status_of(command.error().kind);
  }
  if (const auto* text = std::get_if<std::string>(&*command)) {
    std::fputs(text->c_str(), stdout);
    return std::fflush(stdout) == 0 ? kExitSuccess : kExitInternal;
  }
  if (const auto* lockstep = std::get_if<LockstepCommand>(&*command)) return lockstep_command(*lockstep);
  return run_command(std::get<RunOptions>(*command));
}
