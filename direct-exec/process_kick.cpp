// The kick's signal.
#include "direct-exec/process_kick.h"

#include <signal.h>

namespace ringshift {

void ProcessKick::kick() {
  const pid_t pid = running_.load(std::memory_order_seq_cst);
  if (pid > 0) ::kill(pid, SIGUSR1);
}

}  // namespace ringshift
