// Monitor commands.
#include "machine/monitor.h"

#include <fmt/format.h>

#include <array>
#include <string_view>

#include "machine/stats_report.h"

namespace ringshift {

namespace {
struct Command {
  std::string_view name;
  std::string_view argument;  // what follows the name; empty: nothing may
  std::string_view what;
  std::string (*run)(Machine& machine, std::string_view argument);
};

std::string engine(Machine& machine, std::string_view name) {
  const auto switched = machine.engines().switch_to(name);
  return switched ? std::string() : switched.error().message + "\n";
}

std::string info_stats(Machine& machine, std::string_view) {
  StatsReport report;
  machine.report(report);
  return report.text();
}

// In QEMU's spelling where QEMU has one.
constexpr std::array kCommands{
    Command{"engine", "NAME", "go on with this engine of the set (-engine NAME,NAME)", engine},
    Command{"info engines", "", "the engines, which runs, and what each has done",
            [](Machine& machine, std::string_view) { return machine.engines().describe(); }},
    Command{"info registers", "", "the CPU's state",
            [](Machine& machine, std::string_view) { return machine.describe_cpu(); }},
    Command{"info stats", "", "counters and times", info_stats},
    Command{"info status", "", "whether the guest runs",
            [](Machine& machine, std::string_view) {
              return std::string(machine.paused() ? "VM status: paused\n" : "VM status: running\n");
            }},
    Command{"stop", "", "stop the guest and its clock",
            [](Machine& machine, std::string_view) {
              machine.pause_guest();
              return std::string();
            }},
    Command{"cont", "", "let it go on",
            [](Machine& machine, std::string_view) {
              machine.continue_guest();
              return std::string();
            }},
    Command{"system_powerdown", "", "press the power button",
            [](Machine& machine, std::string_view) {
              machine.press_power_button();
              return std::string();
            }},
    Command{"system_reset", "", "press the reset button",
            [](Machine& machine, std::string_view) {
              machine.reset();
              return std::string();
            }},
    Command{"nmi", "", "send a non-maskable interrupt",
            [](Machine& machine, std::string_view) {
              machine.raise_nmi();
              return std::string();
            }},
    Command{"quit", "", "end the machine",
            [](Machine& machine, std::string_view) {
              machine.request_stop();
              return std::string();
            }},
};

// QEMU's too.
constexpr std::pair<std::string_view, std::string_view> kShort[] = {{"c", "cont"}, {"q", "quit"}};

// Words with one space between them.
std::string normalised(const std::string& line) {
  std::string words;
  for (const char c : line) {
    if (c != ' ' && c != '\t')
      words += c;
    else if (!words.empty() && words.back() != ' ')
      words += ' ';
  }
  if (!words.empty() && words.back() == ' ') words.pop_back();
  return words;
}

// Of the commands whose names begin so.
std::string help(std::string_view beginning) {
  std::string text;
  for (const Command& command : kCommands) {
    if (!command.name.starts_with(beginning)) continue;
    text += fmt::format("{:<18} {}\n", fmt::format("{} {}", command.name, command.argument), command.what);
  }
  return text;
}
}  // namespace

std::string monitor_command(Machine& machine, const std::string& line) {
  std::string words = normalised(line);
  if (words.empty()) return {};
  if (words == "help" || words == "?") return help("");
  if (words == "info") return help("info ");
  for (const auto& [letter, name] : kShort)
    if (words == letter) words = name;
  for (const Command& command : kCommands) {
    if (!words.starts_with(command.name)) continue;
    std::string_view rest = std::string_view(words).substr(command.name.size());
    if (command.argument.empty() && rest.empty()) return command.run(machine, {});
    if (!command.argument.empty() && rest.empty())
      return fmt::format("{} needs {}\n", command.name, command.argument);
    if (!command.argument.empty() && rest.front() == ' ') return command.run(machine, rest.substr(1));
  }
  return fmt::format("unknown command '{}'; 'help' lists those that there are\n", words);
}

}  // namespace ringshift
