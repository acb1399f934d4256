// GRUB's rescue ISO, and Bochs's configuration.
#include "report/iso_image.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "report/child_process.h"
#include "report/guest_log.h"

namespace ringshift {

namespace {
namespace fs = std::filesystem;

Result<void> write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) return fail(ErrorKind::internal, "cannot write {}", path);
  return {};
}

// GRUB's configuration has a language: only what can't mean anything in it is let through.
bool is_plain_line(const std::string& text) {
  constexpr std::string_view kSafe = "=,.-_:/+ ";
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || kSafe.find(c) != std::string_view::npos;
  });
}

// Debian's Bochs has the debugger in it: "c" lets the machine run. An instruction takes a tick, and a second
// has so many ticks; what a tick took of the host's time is found out afterwards.
constexpr const char* kBochsOptions = R"(display_library: term
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/vgabios/vgabios.bin
cpu: model=atom_n270, count=1, ips=50000000, reset_on_triple_fault=0
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
boot: cdrom
com1: enabled=1, mode=file, dev=/dev/fd/3
clock: sync=none, time0=local
panic: action=fatal
error: action=ignore
info: action=ignore, cpu0=report
debug: action=ignore
)";
}  // namespace

Result<TemporaryFolder> TemporaryFolder::create() {
  std::error_code error;
  std::string path = (fs::temp_directory_path(error) / "ringshift-compare-XXXXXX").string();
  if (::mkdtemp(path.data()) == nullptr)
    return fail(ErrorKind::internal, "cannot make a folder like {}", path);
  return TemporaryFolder(path);
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

Result<void> make_iso(const std::string& folder, const Workload& workload) {
  if (!is_plain_line(workload.append))
    return fail(ErrorKind::usage,
                "the guest's options hold characters that a boot menu would take for its own");
  std::error_code error;
  const fs::path tree = fs::path(folder) / "tree";
  fs::create_directories(tree / "boot/grub", error);
  fs::copy_file(workload.kernel, tree / "boot/guest.elf", fs::copy_options::overwrite_existing, error);
  if (error) return fail(ErrorKind::input_file, "cannot copy {}: {}", workload.kernel, error.message());
  RS_TRY(write_file((tree / "boot/grub/grub.cfg").string(),
                    fmt::format("set timeout=0\nterminal_output console\nmenuentry guest {{\n  multiboot "
                                "/boot/guest.elf {}\n}}\n",
                                workload.append)));
  const std::string iso = folder + "/guest.iso";
  const ChildOutcome made = run_child({.command = {"grub-mkrescue", "-o", iso, tree.string()}});
  if (made.kind != ChildOutcome::Kind::exited || made.status != 0 || !fs::exists(iso, error))
    return fail(ErrorKind::internal,
                "no ISO could be made of the guest: grub-mkrescue: {} (Debian: grub-common grub-pc-bin "
                "xorriso mtools)",
                made.describe());
  return {};
}

Result<std::vector<std::string>> write_bochs_files(const std::string& folder, const Workload& workload) {
  const std::string options = fmt::format(
      "{}memory: guest={}, host={}\nata0-master: type=cdrom, path={}/guest.iso, status=inserted\nlog: "
      "{}/bochs.log\n",
      kBochsOptions, workload.memory_mib, workload.memory_mib, folder, folder);
  RS_TRY(write_file(folder + "/bochsrc", options));
  RS_TRY(write_file(folder + "/go", "c\n"));
  return std::vector<std::string>{"-q", "-f", folder + "/bochsrc", "-rc", folder + "/go"};
}

u64 bochs_ticks(const std::string& folder) {
  std::ifstream log(folder + "/bochs.log");
  u64 ticks = 0;
  for (std::string line; std::getline(log, line);)
    if (line.find("HLT instruction with IF=0") != std::string::npos)
      ticks = std::strtoull(line.c_str(), nullptr, 10);
  return ticks;
}

}  // namespace ringshift
