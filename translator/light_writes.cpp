// Stores to pages of code that hit no block.
#include "translator/light_writes.h"

#include "cpu-model/cpu.h"
#include "translator/code_writes.h"

namespace ringshift::bt {

[[gnu::flatten]] const u8* light_write(BtContext* context, const u8* retry, u32 gva, u32 info) {
  constexpr PageFlags kCode = static_cast<PageFlags>(PageKind::ram) | kAttrBtCode;
  const u32 size = info & AccessInfo::kSizeMask;
  const u32 offset = gva & kPageOffsetMask;
  const TlbEntry& entry = context->tlb_table[Tlb::index(gva)];
  const bool known = Tlb::maps(entry, gva, true) && offset + size <= kPageSize;
  // Any other attribute has a listener of its own.
  if (known && (context->cpu->phys.flags(entry.page) & ~kAttrNoWindow) == kCode &&
      context->writes->lets(entry.page + offset, size)) {
    context->write_r9 = entry.addend;
    context->write_r11 = context->saved_r11;
    return retry + (info >> AccessInfo::kBehindShift);
  }
  context->write_r9 = info;
  context->write_r11 = reinterpret_cast<u64>(retry);
  return context->to_access;
}

}  // namespace ringshift::bt
