// BootFiles: what the user names to be booted.
#pragma once

#include <string>

namespace ringshift {

struct BootFiles {
  std::string kernel;  // -kernel
  std::string initrd;  // -initrd; empty for none. For multiboot: "FILE ARGS,FILE ARGS"
  std::string append;  // -append
};

}  // namespace ringshift
