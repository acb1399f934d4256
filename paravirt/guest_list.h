// Lists that a hypercall's argument names: their elements one by one, and lists of operations, which pause.
#pragma once

#include "paravirt/domain.h"

namespace ringshift::xen {

// The element `index` of the guest's array at `list`. False: -EFAULT. No list wraps at 4 GiB.
template <class T>
bool copy_element(DomainMemory& memory, T& to, Gva list, u32 index) {
  const u64 at = list + u64{index} * sizeof to;
  return at < kHypervisorStart && memory.copy_from_guest(to, static_cast<Gva>(at));
}

// mmu_update and mmuext_op, whose first arguments are (list, count, done): executes the operations up to the
// first whose result isn't 0, which is the call's own, and tells how many were done where `done` isn't null.
// execute: i32(const Operation&).
template <class Operation, class Execute>
i32 execute_list(Domain& domain, const HypercallArguments& arguments, Execute execute) {
  // Of a count: the call goes on after a pause, and `done` holds what was done before (Xen's
  // MMU_UPDATE_PREEMPTED).
  constexpr u32 kPreempted = 1u << 31;
  const Gva list = arguments[0];
  const u32 count = arguments[1] & ~kPreempted;
  const Gva done_at = arguments[2];
  u32 done = 0;
  if (count != arguments[1] && done_at != 0) domain.copy_from_guest(done, done_at);
  i32 result = 0;
  u32 i = 0;
  for (; i < count; ++i) {
    if (i != 0 && domain.should_pause()) {
      domain.continuation = {list + i * static_cast<u32>(sizeof(Operation)), (count - i) | kPreempted,
                             done_at};
      break;
    }
    Operation operation{};
    result = copy_element(domain, operation, list, i) ? execute(operation) : -XEN_EFAULT;
    if (result != 0) break;
  }
  done += i;
  if (done_at != 0 && !domain.copy_to_guest(done_at, done) && result == 0) result = -XEN_EFAULT;
  return result;
}

}  // namespace ringshift::xen
