// Synchronous signals that translated code raises: turned into exits to the interpreter, which then raises
// what the guest must see.
#pragma once

#include <signal.h>

#include <memory>

#include "base/types.h"

namespace ringshift::bt {

// Handles a fault in translated code by changing the saved context; false: not this engine's.
class HostFaultHandler {
 public:
  virtual bool handle_host_fault(int signal, siginfo_t& info, ucontext_t& context) = 0;

 protected:
  ~HostFaultHandler() = default;
};

// While it lives, SIGSEGV, SIGBUS, SIGFPE and SIGILL of the calling thread go to the handler first, on a
// stack of their own (RSP is the guest's ESP in the cache). Other faults are what they were before.
class HostFaultScope {
 public:
  explicit HostFaultScope(HostFaultHandler& handler);
  ~HostFaultScope();
  HostFaultScope(const HostFaultScope&) = delete;

 private:
  HostFaultHandler* outer_;
  std::unique_ptr<u8[]> stack_;
  stack_t outer_stack_{};
};

}  // namespace ringshift::bt
