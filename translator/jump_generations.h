// JumpGenerations: the part of a jump-table tag that stands for mode and address space.
//
// A new generation makes all entries of the old one unreachable, without touching the table.
#pragma once

#include <array>

#include "translator/mode_key.h"

namespace ringshift::bt {

class JumpGenerations {
 public:
  // The generation of a mode now; never 0.
  u64 of(ModeKey mode) {
    Slot& slot = slots_[index(mode)];
    if (!slot.used || !(slot.mode == mode)) slot = {mode, ++last_, true, true};
    return slot.value;
  }
  // The mode's generation, which is current, now has an entry that a MOV CR3 must make unreachable.
  void note_local(ModeKey mode) { slots_[index(mode)].global_only = false; }
  void renew_all() { slots_.fill(Slot{}); }
  // After MOV CR3.
  void renew_local() {
    for (Slot& slot : slots_)
      if (!slot.global_only) slot.used = false;
  }

 private:
  static constexpr unsigned kSlots = 64;
  struct Slot {
    ModeKey mode;
    u64 value = 0;
    bool global_only = true;  // every entry stands on global pages
    bool used = false;
  };
  static unsigned index(ModeKey mode) { return (mode.value() * 0x9e3779b1u) >> 26; }
  std::array<Slot, kSlots> slots_{};
  u64 last_ = 0;
};

}  // namespace ringshift::bt
