// memory_layout: the KVM memory slots that a PhysicalMap amounts to.
#pragma once

#include <vector>

#include "hw-accel-kvm/kvm_vm.h"
#include "memory/physical_map.h"

namespace ringshift {

// RAM and ROM as runs of equal pages, in address order; holes are MMIO. With A20 masked each odd MiB shows
// the even one below it, so that the runs end at MiB borders.
std::vector<MemorySlot> memory_layout(PhysicalMap& map, bool a20_masked, bool dirty_log);

}  // namespace ringshift
