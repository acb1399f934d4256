// The kick's signal.
#include "hw-accel-kvm/vcpu_kick.h"

#include <signal.h>

namespace ringshift {

namespace {
int kick_signal() { return SIGRTMIN + 2; }
void ignore(int) {}

void install_handler() {
  struct sigaction action {};
  action.sa_handler = ignore;
  action.sa_flags = SA_ONSTACK;
  ::sigaction(kick_signal(), &action, nullptr);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, kick_signal());
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}
}  // namespace

void VcpuKick::begin() {
  install_handler();
  thread_ = ::pthread_self();
  control_.kick.store(this, std::memory_order_seq_cst);
}

void VcpuKick::end() { control_.kick.store(nullptr, std::memory_order_seq_cst); }

void VcpuKick::rearm() {
  // The kernel only reads the byte, at the start of KVM_RUN.
  std::atomic_ref<u8>(shared_.immediate_exit).store(0, std::memory_order_seq_cst);
}

void VcpuKick::kick() {
  std::atomic_ref<u8>(shared_.immediate_exit).store(1, std::memory_order_seq_cst);
  if (::pthread_equal(::pthread_self(), thread_) == 0) ::pthread_kill(thread_, kick_signal());
}

}  // namespace ringshift
