// A comparison, from the command line to its files.
#include "cli/compare_command.h"

#include <fmt/core.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <random>

#include "base/host_clock.h"
#include "base/messages.h"
#include "base/unique_fd.h"
#include "cli/exit_status.h"
#include "cli/output_files.h"
#include "machine/loaders/input_file.h"
#include "report/guest_log.h"
#include "report/log_file.h"
#include "report/output_text.h"
#include "report/renderings.h"
#include "report/runner.h"
#include "report/version.h"

namespace ringshift {

namespace {
constexpr int kExitInterrupted = 130;

// What goes on, on stderr: on a terminal the passing part is one line that is overwritten.
class Progress {
 public:
  void operator()(const std::string& what, bool passing) {
    if (passing && !terminal_) return;
    if (passing)
      put_stderr("\r\x1b[K  " + printable(what, 76));
    else
      put_stderr((terminal_ ? "\r\x1b[K" : "") + what + "\n");
    std::fflush(stderr);
  }
  void finish() const {
    if (terminal_) put_stderr("\r\x1b[K");
  }

 private:
  bool terminal_ = ::isatty(STDERR_FILENO) == 1;
};

// SIGINT, SIGTERM and SIGHUP as something to be read; the children are ended, and what was measured is
// written.
UniqueFd watch_interrupts() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, signal);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  return UniqueFd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &parts);
  return text;
}

std::string make_nonce() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}{:08x}{:08x}", random(), random(), random(), random());
}

unsigned terminal_width() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col != 0) return size.ws_col;
  return 200;
}

Result<Comparison> make_comparison(const CompareOptions& options) {
  Comparison comparison;
  comparison.workload = options.workload;
  comparison.runs = options.runs;
  comparison.version = "Ringshift " RINGSHIFT_VERSION;
  comparison.made_at = utc_now();
  std::vector<std::string> words{"ringshift", "compare"};
  words.insert(words.end(), options.words.begin(), options.words.end());
  comparison.command = shell_line(words);
  std::vector<std::string> unknown = options.modes;
  for (Mode& mode : make_modes(Programs::find(own_program()), options.workload)) {
    std::erase(unknown, mode.id);
    const auto& wanted = options.modes;
    if (wanted.empty() || std::find(wanted.begin(), wanted.end(), mode.id) != wanted.end())
      comparison.modes.push_back({.mode = std::move(mode)});
  }
  if (!unknown.empty())
    return fail(ErrorKind::usage, "--modes: there is no mode '{}'", printable(unknown.front()));
  for (const CompareOptions::Import& import : options.imports) {
    for (const ModeResult& other : comparison.modes)
      if (other.mode.id == import.name)
        return fail(ErrorKind::usage, "--import: there is a mode '{}' already", import.name);
    comparison.modes.push_back(import_log(import.name, import.file, RS_TRY(read_log(import.file))));
  }
  if (!options.rig_file.empty()) comparison.rig = RS_TRY(read_log(options.rig_file));
  return comparison;
}

Result<void> write_all(const Comparison& comparison, const CompareOptions& options) {
  RS_TRY(write_file(
      options.json_file,
      comparison_json(comparison).dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n"));
  RS_TRY(write_file(options.csv_file, comparison_csv(comparison)));
  if (!options.html_file.empty())
    RS_TRY(write_file(options.html_file, comparison_html(comparison, make_nonce())));
  return {};
}

Result<int> run_comparison(const CompareOptions& options) {
  Comparison comparison = RS_TRY(make_comparison(options));
  for (const std::string& path :
       {options.workload.kernel, options.workload.pv_kernel, options.workload.initrd})
    if (!path.empty()) RS_TRY(InputFile::open(path, "guest file"));
  for (const std::string& path : {options.json_file, options.csv_file, options.html_file})
    RS_TRY(check_writable(path));
  const UniqueFd interrupts = watch_interrupts();
  Progress progress;
  const u64 begin = host_clock_ns();
  Runner runner(comparison,
                {.timeout_s = options.timeout_s,
                 .profiles = options.profiles,
                 .interrupt_fd = interrupts.get(),
                 .emulated = read_emulated_logs(options.emulated_folder),
                 .progress = [&](const std::string& what, bool passing) { progress(what, passing); }});
  const bool whole = runner.run();
  progress.finish();
  comparison.took_s = static_cast<double>(host_clock_ns() - begin) * 1e-9;
  RS_TRY(write_all(comparison, options));
  if (!put_stdout(comparison_text(comparison, terminal_width()))) return kExitInternal;
  if (!whole) return kExitInterrupted;
  if (!comparison.wrong_checksums().empty()) return kExitDiffer;
  return comparison.rows.empty() ? kExitInternal : kExitSuccess;
}
}  // namespace

int compare_command(const CompareOptions& options) {
  const auto status = run_comparison(options);
  return status ? *status : complain(status.error());
}

}  // namespace ringshift
