// RS_CHECK: a broken invariant of the monitor's own ends the program in every build, with the reason.
#pragma once

#include <fmt/core.h>

#include <string_view>

namespace ringshift {

// Prints the message and what the registered dump says of the machine, then aborts. Never for guest mistakes.
[[noreturn]] void panic(std::string_view file, int line, std::string_view message);

// Called by panic() once before abort, to print the state of the running vCPU; null for none.
void set_panic_dump(void (*dump)());

}  // namespace ringshift

#define RS_CHECK(condition)                                                \
  do {                                                                     \
    if (!(condition)) [[unlikely]]                                         \
      ::ringshift::panic(__FILE__, __LINE__, "check failed: " #condition); \
  } while (false)

#define RS_PANIC(...) ::ringshift::panic(__FILE__, __LINE__, ::fmt::format(__VA_ARGS__))
