// Code and stack segments that the hypervisor enters the guest by: ring 0's rights don't count, the guest's
// do.
#pragma once

#include "cpu-model/transfer_segments.h"

namespace ringshift::xen {

// A code segment as IRET from ring 0 would load it, at the selector's own level (SDM vol. 2A IRET).
inline Outcome<SegmentRegister> entered_code(Cpu& cpu, u16 selector) {
  if (is_null_selector(selector)) return raise(Fault::gp());
  Descriptor descriptor = RS_TRY(read_descriptor(cpu, selector));
  const u8 level = requested_level(selector);
  const bool allowed = descriptor.conforming() ? descriptor.dpl() <= level : descriptor.dpl() == level;
  if (!descriptor.code() || !allowed) return raise(Fault::gp(selector_error(selector)));
  if (!descriptor.present()) return raise(Fault::np(selector_error(selector)));
  RS_TRY(set_accessed(cpu, selector, descriptor));
  return segment_from(selector, descriptor);
}

}  // namespace ringshift::xen
