// ThreadTimer: a POSIX timer whose signal interrupts the thread that made it.
#pragma once

#include <signal.h>

#include <ctime>

#include "base/types.h"

namespace ringshift {

class ThreadTimer {
 public:
  using Handler = void (*)(int signal, siginfo_t* info, void* context);

  ThreadTimer() = default;
  ThreadTimer(const ThreadTimer&) = delete;
  ~ThreadTimer() { destroy(); }

  // The calling thread becomes the one that is signalled. The handler runs on the alternate stack, if there
  // is one (in generated code the stack pointer is the guest's), with all signals blocked, and gets `value`
  // as si_value.sival_ptr. False: errno says why.
  bool create(clockid_t clock, int signal, Handler handler, void* value);
  void destroy();
  // Whether the calling thread is the one that is signalled.
  bool is_of_this_thread() const;

  // In first_ns from now (0: never), and every period_ns from then on (0: once). Nothing if there is no
  // timer.
  void arm(u64 first_ns, u64 period_ns = 0);
  void disarm() { arm(0); }

 private:
  timer_t timer_{};
  pid_t thread_ = 0;  // 0: there is no timer
};

}  // namespace ringshift
