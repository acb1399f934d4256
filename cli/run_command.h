// `ringshift run`: makes a machine as the options say, runs it, and gives the exit status.
#pragma once

#include "cli/options.h"

namespace ringshift {

int run_command(const RunOptions& options);

}  // namespace ringshift
