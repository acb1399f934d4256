// explain_command: runs `ringshift explain` and gives the program's exit status.
#pragma once

#include "cli/options.h"

namespace ringshift {

int explain_command(const ExplainCommand& command);

}  // namespace ringshift
