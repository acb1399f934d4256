// KvmVm: a virtual machine of KVM's: its memory slots and what is set once for all of it.
#pragma once

#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "base/unique_fd.h"
#include "hw-accel-kvm/kvm_system.h"

namespace ringshift {

// A run of guest-physical pages that are backed alike.
struct MemorySlot {
  Gpa gpa;
  u64 length;
  u8* host;
  bool read_only;
  bool dirty_log;
  bool operator==(const MemorySlot&) const = default;
};

class KvmVm {
 public:
  static Result<KvmVm> create(const KvmSystem& system);

  int fd() const { return fd_.get(); }
  unsigned slot_limit() const { return slot_limit_; }
  Result<void> set_slot(unsigned number, const MemorySlot& slot);
  Result<void> remove_slot(unsigned number);
  // Which pages of the slot were written since the last call, a bit a page.
  Result<std::vector<u64>> take_dirty_log(unsigned number, u64 pages);

 private:
  KvmVm(UniqueFd fd, unsigned slot_limit) : fd_(std::move(fd)), slot_limit_(slot_limit) {}
  UniqueFd fd_;
  unsigned slot_limit_;
};

}  // namespace ringshift
