// Lines for the user on stderr, and text on stdout. What can't be written (a full disk, a reader that is
// gone) is no reason to end: fmt::print would throw.
#pragma once

#include <fmt/core.h>

#include <string_view>
#include <utility>

namespace ringshift {

// Writes text to stderr as it is.
void put_stderr(std::string_view text);

// A line on stderr that begins with the program's name: tell("-engine auto takes {}", name).
template <class... Args>
void tell(fmt::format_string<Args...> format, Args&&... args) {
  put_stderr("ringshift: " + fmt::format(format, std::forward<Args>(args)...) + "\n");
}

// Writes text to stdout, all of it at once; if that fails says so on stderr and returns false.
bool put_stdout(std::string_view text);

}  // namespace ringshift
