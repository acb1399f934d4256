// The library headers that most files include, compiled once for all of them (CMake's precompiled headers).
// Nothing includes this file, and nothing relies on it: tools/lint compiles without it, so that a missing
// include is found.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <unordered_map>
#include <vector>
