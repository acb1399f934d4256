// What the host's kernel knows of GS base.
#include "translator/window_base.h"

#include <asm/hwcap2.h>
#include <asm/prctl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"

namespace ringshift::bt {

namespace {

// Whether it saves and restores what WRGSBASE sets.
bool kernel_keeps_bases() { return (getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE) != 0; }

thread_local sigjmp_buf after_probe;

// Executes RDGSBASE and sees whether it is #UD.
bool instruction_works() {
  struct sigaction action {};
  struct sigaction previous {};
  action.sa_handler = [](int) { siglongjmp(after_probe, 1); };
  if (sigaction(SIGILL, &action, &previous) != 0) return false;
  volatile bool works = false;
  if (sigsetjmp(after_probe, 1) == 0) {
    asm volatile("rdgsbase %%rax" : : : "rax");
    works = true;
  }
  sigaction(SIGILL, &previous, nullptr);
  return works;
}

}  // namespace

bool WindowBase::usable() {
  static const bool usable = kernel_keeps_bases() || instruction_works();
  return usable;
}

Result<void> WindowBase::prepare() {
  if (usable() && !kernel_keeps_bases()) nothing_.emplace(RS_TRY(WindowRange::reserve()));
  return {};
}

void WindowBase::begin_run() {
  if (!nothing_) return;
  const std::thread::id thread = std::this_thread::get_id();  // no system call: runs may be short
  if (thread == thread_) return;
  RS_CHECK(::syscall(SYS_arch_prctl, ARCH_SET_GS, nothing_->base()) == 0);
  thread_ = thread;
}

}  // namespace ringshift::bt
