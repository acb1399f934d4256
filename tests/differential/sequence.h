// Sequence: a few instructions with branches among them, and how they become bytes.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/types.h"

namespace ringshift::differential {

// One instruction, or a few that only make sense together.
struct Item {
  enum class Fix : u8 { none, relative8, relative16, relative32, absolute16, absolute32 };

  std::vector<u8> bytes;
  Fix fix = Fix::none;
  u8 fix_offset = 0;                // of the field in bytes
  u32 target = 0;                   // item that the field points to; the number of items for the end
  u32 addend = 0;                   // to an absolute address
  bool essential = false;           // not to be shrunk away
  bool bounds_loop = false;         // sets the counter without which a loop that follows would go on and on
  bool stores_environment = false;  // of the x87, with what differs by design cleared afterwards
};

struct Sequence {
  std::vector<Item> items;
  u32 start = 0;  // linear address of the first byte
  u32 base = 0;   // of the code segment
  bool code16 = false;

  // The bytes, closed by HLT; nothing if a short branch doesn't reach.
  std::optional<std::vector<u8>> assemble() const;
  bool stores_environment() const;
  bool loops() const;  // has a backward branch
  // Without item i; branches to it go to its successor.
  Sequence without(u32 i) const;
  // The shortest part found of which differs(part) still holds, dropping an item at a time; what is
  // essential, and what bounds a loop, stays.
  template <class Differs>
  Sequence shrunk(const Differs& differs) const {
    Sequence best = *this;
    for (bool progress = true; progress;) {
      progress = false;
      for (u32 i = static_cast<u32>(best.items.size()); i > 0 && best.items.size() > 1; --i) {
        if (best.items[i - 1].essential || (best.items[i - 1].bounds_loop && best.loops())) continue;
        Sequence candidate = best.without(i - 1);
        if (!differs(candidate)) continue;
        best = std::move(candidate);
        progress = true;
      }
    }
    return best;
  }
  std::string disassemble() const;
};

// True if some bytes of it, jumped into, would be a system call of the host's.
bool holds_system_call(const std::vector<u8>& code);

}  // namespace ringshift::differential
