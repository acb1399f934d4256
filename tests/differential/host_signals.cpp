// HostSignals: the handler is host_enter.S's, which clears EFLAGS.AC before it calls ringshift_host_signal.
#include "tests/differential/host_signals.h"

#include <sys/mman.h>

#include "base/check.h"

extern "C" {
void ringshift_host_handler(int, siginfo_t*, void*);
void ringshift_host_signal(int signal, siginfo_t*, void* context);
}

namespace ringshift::differential {

namespace {
// A signal handler has no other way to its runner.
CaptureSignal g_capture = nullptr;
}  // namespace

HostSignals::HostSignals(std::span<const int> signals, CaptureSignal capture) : signals_(signals) {
  RS_CHECK(signals.size() <= kMost && g_capture == nullptr);
  g_capture = capture;
  struct sigaction action {};
  action.sa_sigaction = ringshift_host_handler;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  for (std::size_t i = 0; i < signals_.size(); ++i) sigaction(signals_[i], &action, &previous_[i]);
}

HostSignals::~HostSignals() {
  for (std::size_t i = 0; i < signals_.size(); ++i) sigaction(signals_[i], &previous_[i], nullptr);
  g_capture = nullptr;
}

SignalStack::SignalStack()
    : memory_(mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
  RS_CHECK(memory_ != MAP_FAILED);
  stack_t stack{};
  stack.ss_sp = memory_;
  stack.ss_size = kSize;
  RS_CHECK(sigaltstack(&stack, &outer_) == 0);
}

SignalStack::~SignalStack() {
  sigaltstack(&outer_, nullptr);
  munmap(memory_, kSize);
}

namespace {
bool capture(int signal, void* context) {
  return g_capture != nullptr && g_capture(signal, *static_cast<ucontext_t*>(context));
}
}  // namespace

}  // namespace ringshift::differential

// A signal of this program's own: gone back to with the default action, which ends it where it stands.
void ringshift_host_signal(int signal, siginfo_t*, void* context) {
  if (!ringshift::differential::capture(signal, context)) ::signal(signal, SIG_DFL);
}
