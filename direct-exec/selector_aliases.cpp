// The LDT entries behind the aliases.
#include "direct-exec/selector_aliases.h"

namespace ringshift {

namespace {

constexpr u16 kLdtAtCpl3 = 7;

// struct user_desc of asm/ldt.h: entry number, base, limit, bits.
GuestProcess::LdtEntry describe(unsigned slot, const SegmentRegister& segment) {
  const bool pages = segment.limit > 0xfffff;
  const bool code = (segment.attributes & kSegCode) != 0;
  u32 contents = 2;
  if (!code) contents = (segment.attributes & kSegExpandDown) != 0 ? 1 : 0;
  u32 bits = contents << 1 | 1u << 6;
  if ((segment.attributes & kSegBig) != 0) bits |= 1;
  if ((segment.attributes & kSegWritable) == 0) bits |= 1u << 3;
  if (pages) bits |= 1u << 4;
  return {{slot, static_cast<u32>(segment.base), pages ? segment.limit >> 12 : segment.limit, bits}};
}

}  // namespace

u16 SelectorAliases::alias_of(const SegmentRegister& segment) {
  if (!segment.usable()) return segment.selector & 3;
  unsigned free = kSlots;
  for (unsigned i = 0; i < kSlots; ++i) {
    Slot& slot = slots_[i];
    if (slot.version == 0) {
      free = std::min(free, i);
      continue;
    }
    if (slot.segment.selector != segment.selector) continue;
    if (slot.segment != segment) slot = {segment, ++clock_};
    return static_cast<u16>(i << 3 | kLdtAtCpl3);
  }
  if (free == kSlots) {
    slots_.fill({});
    free = 0;
  }
  slots_[free] = {segment, ++clock_};
  return static_cast<u16>(free << 3 | kLdtAtCpl3);
}

std::optional<SegmentRegister> SelectorAliases::find(u16 host_selector) const {
  const unsigned index = host_selector >> 3;
  if ((host_selector & 7) != kLdtAtCpl3 || index >= kSlots || slots_[index].version == 0) return std::nullopt;
  return slots_[index].segment;
}

void SelectorAliases::install(GuestProcess& process) const {
  process.ldt_versions.resize(kSlots, 0);
  for (unsigned i = 0; i < kSlots; ++i) {
    if (slots_[i].version <= process.ldt_versions[i]) continue;
    process.queue_ldt(describe(i, slots_[i].segment));
    process.ldt_versions[i] = slots_[i].version;
  }
}

}  // namespace ringshift
