// Mode: one way to run the guest, and how to start it.
#pragma once

#include <string>
#include <vector>

namespace ringshift {

// What is compared: a kernel with its options, in all modes the same.
struct Workload {
  std::string kernel, initrd, append;
  std::string pv_kernel;  // the kernel's build for the Xen interface; empty: there is none
  std::string native;     // what has a native counterpart, as a program of this host; empty: nothing has
  unsigned memory_mib = 64;
  // A result of its own: seconds from the start to the first line that contains a text.
  struct Mark {
    std::string name, text;
  };
  std::vector<Mark> marks;
  std::string end_text;  // the line that begins with it ends the run; empty: only the guest's own end does
  bool ends_with_status = true;  // by isa-debug-exit, with 1 for success
};

// What kind of thing a mode is: the page's colours, and the order of rows.
enum class Family { software, paravirtual, hardware, peer, native, import };
const char* name_of(Family family);

struct Mode {
  std::string id;     // as --modes takes it
  std::string about;  // a few words for a reader
  Family family = Family::software;
  std::vector<std::string> command;
  std::string missing;           // why it can't even be started; empty: it can
  std::string engine;            // as `ringshift doctor` names it; empty: none of its
  bool has_stats = false;        // takes -stats json:FILE
  bool takes_iso = false;        // boots the guest from an ISO that is made for it (Bochs)
  bool judged_by_status = true;  // status 1 is success (isa-debug-exit); else 0
  std::string import_file;
};

struct Programs {
  std::string ringshift, qemu, bochs;  // paths; empty: not installed
  static Programs find(const std::string& ringshift);
};

// Every mode there is, in the order in which they are shown; those of imports are added by the caller.
std::vector<Mode> make_modes(const Programs& programs, const Workload& workload);

// The path of a program in PATH, or nothing.
std::string find_program(const std::string& name);

}  // namespace ringshift
