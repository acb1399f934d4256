// Panics: how the monitor ends when an invariant of its own is broken.
#include "base/check.h"

#include <cstdio>
#include <cstdlib>

#include "base/messages.h"

namespace ringshift {

namespace {
void (*panic_dump)() = nullptr;
}

void set_panic_dump(void (*dump)()) { panic_dump = dump; }

void panic(std::string_view file, int line, std::string_view message) {
  tell("internal failure at {}:{}: {}", file, line, message);
  if (auto* dump = panic_dump) {
    panic_dump = nullptr;
    dump();
  }
  std::fflush(nullptr);
  std::abort();
}

}  // namespace ringshift
