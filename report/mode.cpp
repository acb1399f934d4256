// The modes and their command lines.
#include "report/mode.h"

#include <fmt/core.h>
#include <unistd.h>

#include <cstdlib>
#include <sstream>

namespace ringshift {

namespace {
using Words = std::vector<std::string>;

Words operator+(Words left, const Words& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

const Words kDebugExit{"-device", "isa-debug-exit,iobase=0xf4,iosize=4"};

Words guest_words(const Workload& workload, const std::string& kernel) {
  Words words{"-m", std::to_string(workload.memory_mib), "-kernel", kernel};
  if (!workload.initrd.empty()) words = words + Words{"-initrd", workload.initrd};
  return words + Words{"-append", workload.append};
}

Mode own(const Programs& programs, const Workload& workload, const std::string& id, const std::string& engine,
         const char* about) {
  Mode mode{.id = id, .about = about, .engine = engine, .has_stats = true};
  mode.command = Words{programs.ringshift, "run", "-engine", engine, "-no-reboot"} +
                 guest_words(workload, workload.kernel);
  if (workload.ends_with_status) mode.command = mode.command + kDebugExit;
  mode.judged_by_status = workload.ends_with_status;
  return mode;
}

Mode own_pv(const Programs& programs, const Workload& workload, const std::string& engine,
            const char* about) {
  Mode mode = own(programs, workload, engine + "+xen-pv", engine, about);
  mode.family = Family::paravirtual;
  mode.judged_by_status = false;  // it has a hypercall to power off
  mode.command = Words{programs.ringshift, "run", "-engine", engine, "-guest-abi", "xen-pv", "-no-reboot"} +
                 guest_words(workload, workload.pv_kernel);
  if (workload.pv_kernel.empty())
    mode.missing = "there is no build of the guest for the Xen interface (--pv-kernel FILE names one)";
  return mode;
}

// Nothing that Ringshift's machine lacks: devices that a guest has to probe would be counted against QEMU.
Mode qemu(const Programs& programs, const Workload& workload, const char* accelerator, const char* about) {
  Mode mode{.id = fmt::format("qemu-{}", accelerator), .about = about, .family = Family::peer};
  const std::string program = programs.qemu.empty() ? "qemu-system-i386" : programs.qemu;
  mode.command = Words{program, "-accel", accelerator, "-cpu", "n270",    "-nodefaults", "-display",  "none",
                       "-vga",  "none",   "-nic",      "none", "-serial", "stdio",       "-no-reboot"} +
                 guest_words(workload, workload.kernel);
  if (workload.ends_with_status) mode.command = mode.command + kDebugExit;
  mode.judged_by_status = workload.ends_with_status;
  if (programs.qemu.empty()) mode.missing = "qemu-system-i386 is not installed (Debian: qemu-system-x86)";
  return mode;
}

Mode bochs(const Programs& programs, const Workload& workload) {
  Mode mode{.id = "bochs", .about = "Bochs: an interpreter of the whole PC", .family = Family::peer};
  mode.takes_iso = true;
  mode.command = {programs.bochs.empty() ? "bochs" : programs.bochs};
  if (programs.bochs.empty())
    mode.missing = "Bochs is not installed (Debian: bochs bochs-term bochsbios vgabios)";
  else if (workload.end_text.empty() || !workload.initrd.empty())
    mode.missing = "Bochs runs era-bench alone here";
  return mode;
}

Mode native(const Workload& workload) {
  Mode mode{.id = "native",
            .about = "The rows that need no kernel, as a program of this host",
            .family = Family::native};
  mode.command = {workload.native, workload.append};
  mode.judged_by_status = false;
  if (workload.native.empty()) mode.missing = "this guest has no counterpart as a program of the host";
  return mode;
}
}  // namespace

const char* name_of(Family family) {
  switch (family) {
    case Family::software:
      return "software";
    case Family::paravirtual:
      return "paravirtual";
    case Family::hardware:
      return "hardware";
    case Family::peer:
      return "peer";
    case Family::native:
      return "native";
    case Family::import:
      break;
  }
  return "import";
}

std::vector<Mode> make_modes(const Programs& programs, const Workload& workload) {
  std::vector<Mode> modes{
      own(programs, workload, "interp", "interp", "One instruction at a time: the reference"),
      own(programs, workload, "trap", "trap", "Trap and emulate: the kernel runs deprivileged"),
      own(programs, workload, "bt", "bt", "Binary translation"),
      own_pv(programs, workload, "trap", "Xen paravirtualization over trap and emulate"),
      own_pv(programs, workload, "bt", "Xen paravirtualization over binary translation"),
      own(programs, workload, "kvm", "kvm", "Hardware assistance, by the host's KVM"),
      qemu(programs, workload, "tcg", "QEMU's translator, -cpu n270"),
      qemu(programs, workload, "kvm", "QEMU over the host's KVM, -cpu n270"),
      bochs(programs, workload),
      native(workload),
  };
  for (Mode& mode : modes)
    if (mode.id == "kvm") mode.family = Family::hardware;
  return modes;
}

std::string find_program(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "/usr/local/bin:/usr/bin:/bin" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::string full = folder + "/" + name;
    if (!folder.empty() && ::access(full.c_str(), X_OK) == 0) return full;
  }
  return {};
}

Programs Programs::find(const std::string& ringshift) {
  return {ringshift, find_program("qemu-system-i386"), find_program("bochs")};
}

}  // namespace ringshift
