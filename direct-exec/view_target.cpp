// The system calls of a view.
#include "direct-exec/view_target.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/check.h"

namespace ringshift {

namespace {
constexpr u64 kSize = u64{4} << 30;

// Guest code runs from any page that it can read: without PAE's NX there is no other rule.
u64 protection(bool writable) {
  return PROT_READ | PROT_EXEC | (writable ? static_cast<u64>(PROT_WRITE) : 0);
}
}  // namespace

bool ViewTarget::map(u64 at, u64 length, int fd, u64 offset, bool writable, bool populate) {
  RS_CHECK(at < kSize && length <= kSize - at);
  if (at + length <= lowest_) return true;
  if (at < lowest_) {
    offset += lowest_ - at;
    length -= lowest_ - at;
    at = lowest_;
  }
  const u64 flags = MAP_SHARED | MAP_FIXED | (populate ? static_cast<u64>(MAP_POPULATE) : 0);
  process_->queue({SYS_mmap, {at, length, protection(writable), flags, static_cast<u64>(fd), offset}, 0});
  return true;
}

bool ViewTarget::protect(u64 at, u64 length, bool writable) {
  RS_CHECK(at < kSize && length <= kSize - at);
  if (at + length <= lowest_) return true;
  if (at < lowest_) {
    length -= lowest_ - at;
    at = lowest_;
  }
  process_->queue({SYS_mprotect, {at, length, protection(writable)}, 0});
  return true;
}

bool ViewTarget::unmap(u64 at, u64 length) {
  RS_CHECK(at < kSize && length <= kSize - at);
  process_->queue({SYS_munmap, {at, length}, 0});
  return true;
}

void ViewTarget::unmap_all() {
  process_->forget_queue();
  process_->queue({SYS_munmap, {0, kSize}, 0});
}

}  // namespace ringshift
