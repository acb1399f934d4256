// DescriptorMemo: what the CPU model made of descriptors, so that the same load needn't be worked out again.
//
// A segment load is a function of the selector, the descriptor's 8 bytes, the privilege, and what is asked of
// it. The memo keeps results of the CPU model's own code; it has no rules itself, and is never stale, because
// the descriptor is read and compared each time. All inline, for helpers that may call nothing.
#pragma once

#include <array>
#include <cstring>

#include "cpu-model/transfer_segments.h"

namespace ringshift {

class DescriptorMemo {
 public:
  // What the segment was loaded for: the rules differ.
  enum class Use : u8 { data, return_code, return_stack };

  // What the load gives, which began at this CPL. Null: it isn't known, or the descriptor can't be had
  // without a walk or a fault.
  const SegmentRegister* find(const Cpu& cpu, Use use, u16 selector, u8 cpl) const {
    u64 raw = 0;
    if (!peek(cpu, selector, raw)) return nullptr;
    const Entry& entry = entries_[index(use, selector)];
    const bool same = entry.raw == raw && entry.selector == selector && entry.cpl == cpl && entry.use == use;
    return same ? &entry.value : nullptr;
  }
  // The load was done: this came of it.
  void remember(const Cpu& cpu, Use use, u16 selector, u8 cpl, const SegmentRegister& value) {
    u64 raw = 0;
    if (!peek(cpu, selector, raw)) return;
    // Loading the descriptor again would set its accessed bit.
    constexpr u64 kAccessed = u64{1} << 40;
    if (!is_null_selector(selector) && (raw & kAccessed) == 0) return;
    entries_[index(use, selector)] = {raw, selector, cpl, use, value};
  }

 private:
  struct Entry {
    u64 raw = 0;
    u16 selector = 0;
    u8 cpl = 0xff;  // no CPL: an empty entry matches nothing
    Use use = Use::data;
    SegmentRegister value{};
  };

  // The 8 bytes that a selector names, where they can be had without a walk or a fault; a null selector's are
  // 0. False: not so.
  static bool peek(const Cpu& cpu, u16 selector, u64& raw) {
    raw = 0;
    if (is_null_selector(selector)) return true;
    if (!in_descriptor_table(cpu, selector)) return false;
    const u8* const at = cpu.tlb.plain_read(descriptor_address(cpu, selector), sizeof raw, false);
    if (at == nullptr) return false;
    std::memcpy(&raw, at, sizeof raw);
    return true;
  }
  static constexpr unsigned kEntries = 64;
  static unsigned index(Use use, u16 selector) {
    return ((selector >> 3) + 21 * static_cast<unsigned>(use)) % kEntries;
  }
  std::array<Entry, kEntries> entries_{};
};

}  // namespace ringshift
