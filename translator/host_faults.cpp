// Signal handlers and the alternate stack of translated code.
#include "translator/host_faults.h"

#include <sys/auxv.h>

#include <algorithm>
#include <mutex>

#include "base/check.h"

namespace ringshift::bt {

namespace {

// A signal handler has no other way to find whose code it interrupted.
thread_local HostFaultHandler* current_handler = nullptr;

constexpr int kSignals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
struct sigaction previous_actions[NSIG];

void on_signal(int signal, siginfo_t* info, void* context) {
  HostFaultHandler* const handler = current_handler;
  if (handler != nullptr && handler->handle_host_fault(signal, *info, *static_cast<ucontext_t*>(context)))
    return;
  // Not ours: what was there before decides.
  const struct sigaction& previous = previous_actions[signal];
  const bool plain = (previous.sa_flags & SA_SIGINFO) == 0;
  if (plain && (previous.sa_handler == SIG_DFL || previous.sa_handler == SIG_IGN)) {
    sigaction(signal, &previous, nullptr);  // the instruction faults again
  } else if (plain) {
    previous.sa_handler(signal);
  } else {
    previous.sa_sigaction(signal, info, context);
  }
}

void install_once() {
  static std::once_flag installed;
  std::call_once(installed, [] {
    for (const int signal : kSignals) {
      struct sigaction action {};
      action.sa_sigaction = on_signal;
      action.sa_flags = SA_SIGINFO | SA_ONSTACK;
      sigfillset(&action.sa_mask);
      RS_CHECK(sigaction(signal, &action, &previous_actions[signal]) == 0);
    }
  });
}

}  // namespace

HostFaultScope::HostFaultScope(HostFaultHandler& handler) : outer_(current_handler) {
  install_once();
  // AT_MINSIGSTKSZ: what the kernel needs for this CPU's vector state.
  const std::size_t size = std::max<std::size_t>(getauxval(AT_MINSIGSTKSZ), 16384) + 65536;
  stack_ = std::make_unique<u8[]>(size);
  stack_t stack{};
  stack.ss_sp = stack_.get();
  stack.ss_size = size;
  RS_CHECK(sigaltstack(&stack, &outer_stack_) == 0);
  current_handler = &handler;
}

HostFaultScope::~HostFaultScope() {
  current_handler = outer_;
  sigaltstack(&outer_stack_, nullptr);
}

}  // namespace ringshift::bt
