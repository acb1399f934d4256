// Output that reports failure instead of throwing.
#include "base/messages.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace ringshift {

void put_stderr(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stderr); }

bool put_stdout(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0)
    return true;
  tell("cannot write to stdout: {}", std::strerror(errno));
  return false;
}

}  // namespace ringshift
