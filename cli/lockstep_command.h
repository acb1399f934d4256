// lockstep_command: runs `ringshift lockstep` and gives the program's exit status.
#pragma once

#include "cli/options.h"

namespace ringshift {

int lockstep_command(const LockstepCommand& command);

}  // namespace ringshift
