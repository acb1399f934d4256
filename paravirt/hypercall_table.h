// HypercallTable: the table from number to function, and what all of them share.
#pragma once

#include <array>
#include <functional>
#include <string_view>

#include "base/types.h"

namespace ringshift::xen {

// EBX, ECX, EDX, ESI, EDI, EBP.
struct HypercallArguments {
  u32 word[6];
  u32 operator[](unsigned i) const { return word[i]; }
  // A 64-bit argument takes two.
  u64 wide(unsigned i) const { return word[i] | u64{word[i + 1]} << 32; }
};

// EAX: a value, or a negative error number of Xen's.
using HypercallHandler = std::function<i32(const HypercallArguments&)>;

class HypercallTable {
 public:
  static constexpr u32 kCount = 64;
  struct Entry {
    std::string_view name;
    HypercallHandler handler;
    u64 calls = 0;
    u32 refused = 0;  // a bit for each of its commands that was -ENOSYS; the last stands for all the rest
  };

  void set(u32 number, std::string_view name, HypercallHandler handler) {
    entries_[number] = {name, std::move(handler)};
  }
  // Null if it isn't there.
  Entry* find(u32 number) {
    return number < kCount && entries_[number].handler ? &entries_[number] : nullptr;
  }
  // Counts a call of one that is there.
  void note_call(u32 number) { ++entries_[number].calls; }
  const std::array<Entry, kCount>& entries() const { return entries_; }

 private:
  std::array<Entry, kCount> entries_;
};

}  // namespace ringshift::xen
