// Monitor commands.
#include "machine/monitor.h"

#include <fmt/format.h>

#include <array>

#include "machine/stats_report.h"

namespace ringshift {

namespace {
struct Command {
  const char* name;
  const char* what;
  std::string (*run)(Machine& machine);
};

constexpr std::array kCommands{
    Command{"info registers", "the CPU's state", [](Machine& machine) { return machine.describe_cpu(); }},
    Command{"info stats", "counters and times",
            [](Machine& machine) {
              StatsReport report;
              machine.report(report);
              return report.text();
            }},
    Command{"system_powerdown", "press the power button",
            [](Machine& machine) {
              machine.press_power_button();
              return std::string();
            }},
    Command{"system_reset", "press the reset button",
            [](Machine& machine) {
              machine.reset();
              return std::string();
            }},
    Command{"nmi", "send a non-maskable interrupt",
            [](Machine& machine) {
              machine.raise_nmi();
              return std::string();
            }},
    Command{"quit", "end the machine",
            [](Machine& machine) {
              machine.request_stop();
              return std::string();
            }},
};
}  // namespace

std::string monitor_command(Machine& machine, const std::string& line) {
  if (line.empty()) return {};
  for (const Command& command : kCommands)
    if (line == command.name) return command.run(machine);
  std::string help;
  if (line != "help") help = fmt::format("unknown command '{}'; these are known:\n", line);
  for (const Command& command : kCommands) help += fmt::format("{:<18} {}\n", command.name, command.what);
  return help;
}

}  // namespace ringshift
