// Files that the program writes: the output of character devices, reports at the end.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "cli/options.h"
#include "devices/backend/char_backend.h"

namespace ringshift {

// The file of a target; what goes to a terminal goes to no one here, because the command prints its own text
// there.
Result<std::unique_ptr<CharBackend>> file_output(const CharTarget& target);

// Whether a report can be written there, before hours are spent on it: makes the file if it isn't there. An
// empty path is none, and good. A usage error otherwise.
Result<void> check_writable(const std::string& path);

// Writes all of text; an internal error if that fails. An empty path is none, and good.
Result<void> write_file(const std::string& path, const std::string& text);

}  // namespace ringshift
