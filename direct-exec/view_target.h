// ViewTarget: the process that one view of guest memory lives in, as the window's target.
//
// A view is what one address space shows at one privilege (supervisor or user). Calls are queued, and made
// before the process runs guest code again.
#pragma once

#include <memory>

#include "direct-exec/guest_process.h"
#include "mmu-shadow/window_target.h"

namespace ringshift {

class ViewTarget final : public WindowTarget {
 public:
  ViewTarget(std::unique_ptr<GuestProcess> process, u64 lowest)
      : process_(std::move(process)), lowest_(lowest) {}

  GuestProcess& process() { return *process_; }

  bool map(u64 at, u64 length, int fd, u64 offset, bool writable, bool populate) override;
  bool protect(u64 at, u64 length, bool writable) override;
  bool unmap(u64 at, u64 length) override;
  void unmap_all() override;

 private:
  std::unique_ptr<GuestProcess> process_;
  u64 lowest_;  // nothing is mapped below: an access there is the interpreter's
};

}  // namespace ringshift
