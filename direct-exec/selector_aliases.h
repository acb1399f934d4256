// SelectorAliases: host LDT selectors that stand for the guest's segment registers while its code runs.
//
// The guest's selectors mean nothing to the host's descriptor tables, and those of its kernel can't be loaded
// at CPL 3. Each that the guest has loaded gets an LDT entry of the host's with the same base, limit and
// type. A guest that reads a segment register sees the alias: the architecture has no way to hide it (Robin
// and Irvine 2000, MOV and PUSH of segment registers). One that it loads again later (PUSH DS, POP DS) is
// found by its number, so that saving and restoring works all the same.
#pragma once

#include <array>
#include <optional>

#include "cpu-model/vcpu_state.h"
#include "direct-exec/guest_process.h"

namespace ringshift {

class SelectorAliases {
 public:
  static constexpr unsigned kSlots = 48;

  // The selector that stands for the segment; for a null one itself.
  u16 alias_of(const SegmentRegister& segment);
  // What a selector of the host's stands for.
  std::optional<SegmentRegister> find(u16 host_selector) const;
  // Queues what the process lacks. All of them, since the guest may load any again without a trap.
  void install(GuestProcess& process) const;

 private:
  struct Slot {
    SegmentRegister segment{};
    u64 version = 0;  // 0: free
  };
  std::array<Slot, kSlots> slots_;
  u64 clock_ = 0;
};

}  // namespace ringshift
