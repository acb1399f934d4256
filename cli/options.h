// RunOptions: the command line of `ringshift run`, parsed.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "cli/compare_options.h"
#include "machine/machine_config.h"

namespace ringshift {

// Where a character device goes.
struct CharTarget {
  enum class Kind { stdio, file, null };
  Kind kind = Kind::stdio;
  std::string path;
};

enum class StatsFormat { none, human, json };

struct RunOptions {
  MachineConfig machine;
  CharTarget serial;
  std::optional<CharTarget> debugcon;
  std::string monitor_path;  // of a Unix socket; empty: none
  std::string trace_words;   // -d
  std::string trace_file;    // -D
  StatsFormat stats = StatsFormat::none;
  std::string stats_file;
  std::optional<double> timeout_seconds;
  bool automatic_engine = false;  // -engine auto: machine.engines is chosen when it runs
};

// The command line of `ringshift lockstep`.
struct LockstepCommand {
  RunOptions run;
  u64 every = 1'000'000;
  std::optional<u64> limit;
};

// The command line of `ringshift explain`.
struct ExplainCommand {
  RunOptions run;
  std::string function;  // by its symbol; empty: not chosen by name
  struct Range {
    u32 low;
    u64 high;  // exclusive
  };
  std::optional<Range> address;
  unsigned top = 10;
  std::string symbols;  // a file of them; empty: the kernel's own
  bool cold = false;
  std::string html_file, json_file, history_file;
  std::string words;  // the command line, to repeat it
};

struct DoctorOptions {
  bool json = false;
};

// What to do: run a machine, or two in lockstep, compare modes, explain what one's code became, look at the
// host, or print a text (help, version) and end well.
using Command =
    std::variant<RunOptions, LockstepCommand, CompareOptions, ExplainCommand, DoctorOptions, std::string>;

// args: without the program's name.
Result<Command> parse_command_line(const std::vector<std::string>& args);

// The parts of option values, each in QEMU's spelling.
Result<u64> parse_memory_size(const std::string& text);         // "256" (MiB), "512M", "1G", "size=1G"
Result<CharTarget> parse_serial(const std::string& text);       // stdio, file:PATH, null
Result<CharTarget> parse_debugcon(const std::string& text);     // stdio, file:PATH, null, PATH
Result<DebugExitConfig> parse_device(const std::string& text);  // isa-debug-exit,iobase=0xf4,iosize=4
Result<XenDisk> parse_drive(const std::string& text);           // file=FILE,if=xen[,readonly=on]
Result<std::string> parse_monitor(const std::string& text);     // unix:PATH, none; the path
Result<unsigned> parse_icount(const std::string& text);         // shift=N
Result<std::vector<EngineKind>> parse_engines(const std::string& text);  // bt,interp
Result<EngineTurns> parse_engine_turns(const std::string& text);         // every:TIME,ENGINE[:TIME],...
Result<u64> parse_count(const std::string& text, const char* option);    // above 0
Result<unsigned> parse_verify_part(const std::string& text);
Result<double> parse_duration(const std::string& text, const char* option);  // 2s, 500ms, 1.5; in s
Result<ExplainCommand::Range> parse_address_range(const std::string& text);  // LO-HI, LO+LENGTH
// An argument as a shell takes it.
std::string quoted_for_shell(const std::string& text);

}  // namespace ringshift
