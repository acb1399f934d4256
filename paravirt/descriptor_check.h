// Which segment descriptors a guest may have, and how they are put right first (Xen's check_descriptor).
#pragma once

#include "base/types.h"

namespace ringshift::xen {

// Raises DPL 0 to 1, and sets the accessed bit of code and data segments: the guest's descriptor frames are
// mapped read-only, for the CPU as well. False if the descriptor can't be allowed.
bool check_descriptor(u64& descriptor);

// A selector's RPL is at least the guest kernel's.
constexpr u16 kernel_selector(u16 selector) {
  return (selector & 3) != 0 ? selector : static_cast<u16>(selector | 1);
}

}  // namespace ringshift::xen
