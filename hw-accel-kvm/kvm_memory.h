// KvmMemory: keeps KVM's memory slots as the PhysicalMap is, and tells its listeners what the guest has
// written.
#pragma once

#include <vector>

#include "hw-accel-kvm/kvm_vm.h"
#include "memory/physical_map.h"

namespace ringshift {

class KvmMemory final : public PhysicalMapListener {
 public:
  // Both must outlive it.
  KvmMemory(KvmVm& vm, PhysicalMap& map);
  KvmMemory(const KvmMemory&) = delete;
  ~KvmMemory();

  // Before the guest runs. Quick if nothing has changed.
  Result<void> follow(bool a20_masked);
  // After it ran: pages that another engine watches (its code, tracked page tables) and that were written are
  // told of by PhysicalMap::note_write. There is a dirty log only once a page has been watched.
  Result<void> tell_of_writes();

  u64 slots() const { return slots_.size(); }
  u64 changes() const { return changes_; }
  u64 dirty_pages() const { return dirty_pages_; }

  void on_write(Gpa, u32) override {}
  void on_page_changed(Gpa page) override;

 private:
  struct Numbered {
    unsigned number;
    MemorySlot slot;
  };
  Result<void> apply(const std::vector<MemorySlot>& wanted);
  unsigned free_number() const;
  void tell_of_slot(const MemorySlot& slot, const std::vector<u64>& bits, bool a20_masked);

  KvmVm& vm_;
  PhysicalMap& map_;
  std::vector<Numbered> slots_;
  bool changed_ = true;
  bool watched_ = false;  // some page has had write attributes
  bool a20_masked_ = false;
  u64 changes_ = 0, dirty_pages_ = 0;
};

}  // namespace ringshift
