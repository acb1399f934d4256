// DescriptorMemo: what the CPU model made of descriptors, so that the same load needn't be worked out again.
//
// A segment load is a function of the selector, the descriptor's 8 bytes, CPL, and what is asked of it. The
// memo keeps results of the CPU model's own code; it has no rules itself, and is never stale, because the
// descriptor is read and compared each time.
#pragma once

#include <array>
#include <cstring>

#include "cpu-model/transfer_segments.h"
#include "translator/mode_key.h"

namespace ringshift::bt {

class DescriptorMemo {
 public:
  // What the segment was loaded for: the rules differ.
  enum class Use : u8 { data, return_code, return_stack };

  struct Entry {
    u64 raw = 0;
    u16 selector = 0;
    u8 cpl = 0xff;  // no CPL: an empty entry matches nothing
    Use use = Use::data;
    SegmentShape shape = SegmentShape::denied;
    SegmentRegister value{};
  };

  // `cpl`: when the load began. Null: not known.
  const Entry* find(Use use, u16 selector, u64 raw, u8 cpl) const {
    const Entry& entry = entries_[index(use, selector)];
    const bool same = entry.raw == raw && entry.selector == selector && entry.cpl == cpl && entry.use == use;
    return same ? &entry : nullptr;
  }
  void remember(Use use, u16 selector, u64 raw, u8 cpl, const SegmentRegister& value) {
    // Loading the descriptor again would set its accessed bit.
    constexpr u64 kAccessed = u64{1} << 40;
    if (!is_null_selector(selector) && (raw & kAccessed) == 0) return;
    const SegmentShape shape =
        shape_of(value, use == Use::return_code ? Seg::cs : Seg::ds, SegmentRules::descriptors);
    entries_[index(use, selector)] = {raw, selector, cpl, use, shape, value};
  }

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

 private:
  static constexpr unsigned kEntries = 64;
  static unsigned index(Use use, u16 selector) {
    return ((selector >> 3) + 21 * static_cast<unsigned>(use)) % kEntries;
  }
  std::array<Entry, kEntries> entries_{};
};

}  // namespace ringshift::bt
