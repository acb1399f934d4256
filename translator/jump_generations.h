// JumpGenerations: the part of a jump-table tag that stands for mode, CS's base and address space.
//
// A new generation makes all entries of the old one unreachable, without touching the table.
#pragma once

#include <array>

#include "translator/mode_key.h"

namespace ringshift::bt {

class JumpGenerations {
 public:
  // The last generation that a tag has room for: then the table must be emptied, and begin() called.
  static constexpr u64 kLast = 0xffffffff;
  bool exhausted() const { return last_ >= kLast; }
  void begin() {
    renew_all();
    last_ = 0;
  }
  // The generation of a mode now; never 0.
  u64 of(ModeKey mode, u32 cs_base) {
    Slot& slot = slots_[index(mode, cs_base)];
    if (!slot.used || !(slot.mode == mode) || slot.cs_base != cs_base)
      slot = {mode, cs_base, ++last_, true, true};
    return slot.value;
  }
  // The mode's generation, which is current, now has an entry that a MOV CR3 must make unreachable.
  void note_local(ModeKey mode, u32 cs_base) { slots_[index(mode, cs_base)].global_only = false; }
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
    u32 cs_base = 0;
    u64 value = 0;
    bool global_only = true;  // every entry stands on global pages
    bool used = false;
  };
  static unsigned index(ModeKey mode, u32 cs_base) { return mode.hash_with(cs_base) % kSlots; }
  std::array<Slot, kSlots> slots_{};
  u64 last_ = 0;
};

}  // namespace ringshift::bt
