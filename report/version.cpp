// Asking programs for their versions, and looking for files beside this one.
#include "report/version.h"

#include <fmt/core.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <filesystem>

#include "report/child_process.h"
#include "report/guest_log.h"

namespace ringshift {

namespace fs = std::filesystem;

std::string own_program() {
  std::error_code error;
  const fs::path path = fs::read_symlink("/proc/self/exe", error);
  return error ? "ringshift" : path.string();
}

std::string version_of(const Mode& mode, const std::string& own) {
  if (!mode.missing.empty() && mode.engine.empty()) return {};
  if (!mode.engine.empty()) return own;
  if (mode.family == Family::native || mode.family == Family::import) return {};
  const bool bochs = mode.takes_iso;
  const ChildOutcome said =
      run_child({.command = {mode.command.front(), bochs ? "--help" : "--version"}, .timeout_s = 10});
  // Bochs tells it in a line like "                        Bochs x86 Emulator 2.7", on either stream.
  const std::string text = said.serial + said.errors;
  const auto begin = text.find(bochs ? "Bochs x86 Emulator" : "QEMU emulator");
  if (begin == std::string::npos) return {};
  return printable(text.substr(begin, text.find('\n', begin) - begin), 100);
}

std::string find_beside(const std::string& name) {
  const fs::path folder = fs::path(own_program()).parent_path();
  for (const char* beside : {"guests", ".", "../guests", "../share/ringshift"}) {
    std::error_code error;
    const fs::path path = fs::weakly_canonical(folder / beside / name, error);
    if (!error && fs::is_regular_file(path, error)) return path.string();
  }
  return {};
}

std::string describe_machine(const std::string& cpu) {
  utsname name{};
  ::uname(&name);
  const double gib = static_cast<double>(::sysconf(_SC_PHYS_PAGES)) *
                     static_cast<double>(::sysconf(_SC_PAGESIZE)) / (1024.0 * 1024 * 1024);
  return fmt::format("{} {}, {} x {}, {:.0f} GiB", name.sysname, name.release,
                     ::sysconf(_SC_NPROCESSORS_ONLN), cpu.empty() ? name.machine : cpu, gib);
}

}  // namespace ringshift
