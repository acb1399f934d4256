// Versions and paths of the programs that take part.
#pragma once

#include <string>

#include "report/mode.h"

namespace ringshift {

// This program's own path.
std::string own_program();
// What the mode's program says of itself; own: Ringshift's version.
std::string version_of(const Mode& mode, const std::string& own);
// A file beside this program, where a build tree or an installation has guests and the like; empty: there is
// none.
std::string find_beside(const std::string& name);
// This machine in a line: its kernel, processor, processors and memory.
std::string describe_machine(const std::string& cpu);

}  // namespace ringshift
