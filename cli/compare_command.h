// compare_command: runs `ringshift compare` and gives the program's exit status.
#pragma once

#include "cli/compare_options.h"

namespace ringshift {

int compare_command(const CompareOptions& options);

}  // namespace ringshift
