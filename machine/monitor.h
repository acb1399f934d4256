// The monitor: a few commands on a running machine, typed after Ctrl-A C.
#pragma once

#include <string>

#include "machine/machine.h"

namespace ringshift {

// Executes one command and returns what to print. On the vCPU's thread, between runs.
std::string monitor_command(Machine& machine, const std::string& line);

}  // namespace ringshift
