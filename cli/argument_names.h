// QEMU's option names have one dash; CLI11's long names two. Both are taken, and made uniform here.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace ringshift {

// Rewrites "-name", "--name" and "--name=value" of the known options of `ringshift run` to what CLI11
// expects:
// "--name" and the value as an argument of its own, whatever it begins with. An unknown name is a usage
// error.
Result<std::vector<std::string>> uniform_arguments(const std::vector<std::string>& args);

}  // namespace ringshift
