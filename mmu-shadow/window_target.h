// WindowTarget: the address space that a window's pages are mapped into.
//
// Each call is (or queues) one mmap, mprotect or munmap. Addresses are the guest's linear ones; they and the
// lengths are those of whole pages below 4 GiB. False if the host refuses the call, for want of a VMA: then
// nothing has changed, but that protect may have changed a part.
#pragma once

#include "base/types.h"

namespace ringshift {

class WindowTarget {
 public:
  virtual ~WindowTarget() = default;
  virtual bool map(u64 at, u64 length, int fd, u64 offset, bool writable, bool populate) = 0;
  virtual bool protect(u64 at, u64 length, bool writable) = 0;
  virtual bool unmap(u64 at, u64 length) = 0;
  virtual void unmap_all() = 0;
};

}  // namespace ringshift
