// ProcessKick: stops the guest process that runs, when an event is raised, from any thread or signal handler.
#pragma once

#include <sys/types.h>

#include <atomic>

#include "cpu-model/run_control.h"

namespace ringshift {

class ProcessKick final : public EngineKick {
 public:
  // Before the events are looked at and the process is resumed; after it has stopped.
  void arm(pid_t pid) { running_.store(pid, std::memory_order_seq_cst); }
  void disarm() { running_.store(0, std::memory_order_seq_cst); }
  // A signal that comes too early or too late makes the next run end at once, or the stub wait once more.
  void kick() override;

 private:
  std::atomic<pid_t> running_{0};
};

}  // namespace ringshift
