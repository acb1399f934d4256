// From an error to its exit status.
#include "cli/exit_status.h"

#include "base/messages.h"

namespace ringshift {

int complain(const Error& error) {
  tell("{}", error.message);
  return exit_status_of(error.kind);
}

}  // namespace ringshift
