// HostSignals: synchronous signals go to a runner of the host's own instructions, while it runs them.
#pragma once

#include <signal.h>
#include <sys/ucontext.h>

#include <span>

#include "base/types.h"

namespace ringshift::differential {

// False: the signal isn't the runner's, and ends the program.
using CaptureSignal = bool (*)(int signal, ucontext_t& context);

// Handlers for these signals while it exists: an engine may have its own for the same. One at a time. The
// handlers run on the alternate stack (SignalStack), with EFLAGS.AC clear.
class HostSignals {
 public:
  static constexpr int kFaults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};

  HostSignals(std::span<const int> signals, CaptureSignal capture);
  HostSignals(const HostSignals&) = delete;
  ~HostSignals();

 private:
  static constexpr std::size_t kMost = 8;
  std::span<const int> signals_;
  struct sigaction previous_[kMost];
};

// The alternate signal stack of this thread: ESP is the guest's while its code runs.
class SignalStack {
 public:
  SignalStack();
  SignalStack(const SignalStack&) = delete;
  ~SignalStack();

 private:
  static constexpr std::size_t kSize = 256 * 1024;
  void* memory_;
  stack_t outer_{};
};

}  // namespace ringshift::differential
