// The command line of `ringshift compare`, by CLI11.
#include "cli/compare_options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>

#include "cli/options.h"
#include "report/guest_log.h"
#include "report/version.h"

namespace ringshift {

namespace {
constexpr unsigned kMostRuns = 99;
constexpr u64 kMemoryUnit = u64{1} << 20;  // of every peer's option
constexpr u64 kLeastMemory = 8 * kMemoryUnit;

constexpr const char* kFooter =
    "Without --kernel the guest is era-bench, found beside the program, and each of its rows is compared. "
    "With another\n"
    "kernel the rows are texts of its serial port that are waited for, and rows in the format of era-bench "
    "or of\n"
    "bench/guest-suite that it prints:\n"
    "  ringshift compare --kernel linux --initrd initrd.gz --append 'console=ttyS0' -m 256 \\\n"
    "      --mark 'init=Run /init' --until 'Run /init' --html linux.html\n"
    "\n"
    "A log of the same guest on hardware or under another hypervisor comes in by --import 'NAME=FILE'.\n"
    "Exit status: 0 something was measured; 2 usage; 10 nothing was; 12 modes computed different checksums; "
    "130\n"
    "interrupted.\n";

struct Raw {
  CompareOptions options;
  std::string modes;
  std::vector<std::string> imports, marks;
  std::string until, memory = "64";
  bool no_profiles = false;
};

void declare(CLI::App& app, Raw& raw) {
  CompareOptions& options = raw.options;
  Workload& workload = options.workload;
  const auto many = [&](const char* name, std::vector<std::string>& values, const char* what,
                        const char* type) {
    app.add_option(name, values, what)
        ->type_name(type)
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  };
  app.add_option("--runs", options.runs, "Runs of each mode, in turn (default 3)")
      ->check(CLI::Range(1u, kMostRuns));
  app.add_option("--modes", raw.modes, "Only these, comma-separated (default: all)")->type_name("IDS");
  app.add_option("--timeout", options.timeout_s, "For each run (default 120)")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.1, 1e6));
  many("--import", raw.imports, "A log of the guest from elsewhere, as a mode", "NAME=FILE");
  app.add_option("--html", options.html_file, "Write a page there, complete in itself")->type_name("FILE");
  app.add_option("--json", options.json_file, "Write everything there")->type_name("FILE");
  app.add_option("--csv", options.csv_file, "Write the figures there")->type_name("FILE");
  app.add_flag("--no-profiles", raw.no_profiles, "No runs with -stats: no exits, no costs");
  app.add_option("--rig", options.rig_file,
                 "What the KVM rig printed, to be shown with the verdict on KVM (default: its report beside "
                 "the program)")
      ->type_name("FILE");
  app.add_option("--emulated", options.emulated_folder,
                 "Logs of modes in an emulated machine, shown if one of those can't run here (default: what "
                 "`ctest -L emulated` left beside the program)")
      ->type_name("FOLDER");
  app.add_option("--kernel", workload.kernel, "Another guest")->type_name("FILE");
  app.add_option("--pv-kernel", workload.pv_kernel, "Its build for the Xen interface")->type_name("FILE");
  app.add_option("--initrd", workload.initrd, "Its initial RAM disk")->type_name("FILE");
  app.add_option("--append", workload.append, "The guest's options (of era-bench: ms=20 forks=1000)")
      ->type_name("TEXT");
  app.add_option("-m,--memory", raw.memory, "Guest RAM: MiB, or with K, M or G (default 64)")
      ->type_name("SIZE");
  many("--mark", raw.marks, "A row: seconds until a line holds TEXT", "NAME=TEXT");
  app.add_option("--until", raw.until, "The run ends at a line that holds TEXT")->type_name("TEXT");
}

// "-name" is as good as "--name", as everywhere in this program.
std::vector<std::string> with_two_dashes(const CLI::App& app, std::vector<std::string> args) {
  for (std::string& arg : args) {
    if (!arg.starts_with('-') || arg.starts_with("--")) continue;
    const std::string name = "-" + arg.substr(0, arg.find('='));
    if (app.get_option_no_throw(name) != nullptr || name == "--help") arg.insert(0, 1, '-');
  }
  return args;
}

Result<std::pair<std::string, std::string>> split_pair(const std::string& text, const char* option) {
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals + 1 == text.size() || !is_plain_name(text.substr(0, equals)))
    return fail(ErrorKind::usage, "{} takes NAME={}, NAME of letters, digits and -_.+, not '{}'", option,
                option == std::string_view("--mark") ? "TEXT" : "FILE", printable(text));
  return std::pair(text.substr(0, equals), text.substr(equals + 1));
}

Result<void> read_workload(const Raw& raw, const CLI::App& app, Workload& workload) {
  const u64 memory = RS_TRY(parse_memory_size(raw.memory));
  if (memory < kLeastMemory || memory % kMemoryUnit != 0)
    return fail(ErrorKind::usage, "-m {}: compare needs 8M or more, in whole MiB, for every mode",
                raw.memory);
  workload.memory_mib = static_cast<unsigned>(memory / kMemoryUnit);
  for (const std::string& mark : raw.marks) {
    auto [name, text] = RS_TRY(split_pair(mark, "--mark"));
    workload.marks.push_back({std::move(name), std::move(text)});
  }
  workload.end_text = raw.until;
  if (!workload.kernel.empty()) {
    workload.ends_with_status = workload.marks.empty() && workload.end_text.empty();
    return {};
  }
  if (!workload.marks.empty() || !workload.end_text.empty() || !workload.initrd.empty())
    return fail(ErrorKind::usage, "--mark, --until and --initrd are for a guest of your own: --kernel FILE");
  workload.kernel = find_beside("era-bench.elf");
  if (workload.kernel.empty())
    return fail(ErrorKind::usage, "era-bench.elf is not beside this program; name it with --kernel FILE");
  if (workload.pv_kernel.empty()) workload.pv_kernel = find_beside("era-bench-xen.elf");
  workload.native = find_beside("era-native.elf");
  workload.end_text = "era done";
  if (app.count("--append") == 0) workload.append = "ms=20 forks=1000";
  return {};
}

std::vector<std::string> split_at_commas(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find(',', at), text.size());
    if (end > at) parts.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}
}  // namespace

Result<std::variant<CompareOptions, std::string>> parse_compare(const std::vector<std::string>& args) {
  using Parsed = std::variant<CompareOptions, std::string>;
  CLI::App app("Runs one guest in every mode there is, and compares them.", "ringshift compare");
  app.get_formatter()->column_width(30);
  app.footer(kFooter);
  Raw raw;
  declare(app, raw);
  try {
    std::vector<std::string> uniform = with_two_dashes(app, args);
    std::reverse(uniform.begin(), uniform.end());
    app.parse(std::move(uniform));
  } catch (const CLI::CallForHelp&) {
    return Parsed(app.help());
  } catch (const CLI::ParseError& error) {
    return fail(ErrorKind::usage, "{}; `ringshift compare --help` lists the options", error.what());
  }
  CompareOptions options = raw.options;
  options.words = args;
  options.profiles = !raw.no_profiles;
  if (options.rig_file.empty()) options.rig_file = find_beside("tests/kvm-rig/report-l1.txt");
  if (raw.options.workload.kernel.empty() && app.count("--emulated") == 0)
    options.emulated_folder =
        std::filesystem::path(find_beside("tests/emulated/era-bench/logs/trap.log")).parent_path();
  options.modes = split_at_commas(raw.modes);
  for (const std::string& text : raw.imports) {
    auto [name, file] = RS_TRY(split_pair(text, "--import"));
    options.imports.push_back({std::move(name), std::move(file)});
  }
  RS_TRY(read_workload(raw, app, options.workload));
  return Parsed(std::move(options));
}

}  // namespace ringshift
