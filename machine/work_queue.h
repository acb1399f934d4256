// WorkQueue: what other threads want done on the vCPU's thread, and the waking of a halted vCPU.
#pragma once

#include <functional>
#include <mutex>
#include <vector>

#include "base/unique_fd.h"
#include "cpu-model/run_control.h"

namespace ringshift {

class WorkQueue {
 public:
  explicit WorkQueue(RunControl& control);
  WorkQueue(const WorkQueue&) = delete;

  // From any thread: `work` runs on the vCPU's thread soon.
  void post(std::function<void()> work);
  // From any thread: the vCPU looks at its events, also when it is halted.
  void wake();

  // On the vCPU's thread: runs what was posted.
  void run();
  // On the vCPU's thread: sleeps until wake(), a signal, or timeout_ns (negative: no limit) is over.
  void wait(i64 timeout_ns);

 private:
  RunControl& control_;
  UniqueFd event_;
  std::mutex mutex_;
  std::vector<std::function<void()>> work_;
};

}  // namespace ringshift
