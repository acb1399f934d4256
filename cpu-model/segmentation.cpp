// What a segment register allows, and what a load of one checks (SDM vol. 3A 5.3-5.7).
#include "cpu-model/segmentation.h"

namespace ringshift {

namespace {

constexpr u16 kRplMask = 3;

bool is_null(u16 selector) { return (selector & ~kRplMask) == 0; }
u32 error_of(u16 selector) { return selector & ~u32{kRplMask}; }

SegmentRegister null_segment(u16 selector) { return {selector, 0, kSegUnusable, 0, 0, 0}; }

// SS must be writable data of exactly the current privilege, by selector and descriptor (5.7).
Outcome<> check_stack_segment(const Cpu& cpu, u16 selector, const Descriptor& descriptor) {
  const u8 cpl = cpu.state.cpl;
  const bool writable_data =
      !descriptor.system() && (descriptor.type() & (kSegCode | kSegWritable)) == kSegWritable;
  if ((selector & kRplMask) != cpl || !writable_data || descriptor.dpl() != cpl)
    return raise(Fault::gp(error_of(selector)));
  if (!descriptor.present()) return raise(Fault::ss(error_of(selector)));
  return {};
}

// Data or readable code; the privilege check is waived for conforming code (5.6).
Outcome<> check_data_segment(const Cpu& cpu, u16 selector, const Descriptor& descriptor) {
  const bool readable = !descriptor.system() && (descriptor.type() & (kSegCode | kSegWritable)) != kSegCode;
  if (!readable) return raise(Fault::gp(error_of(selector)));
  const u8 dpl = descriptor.dpl();
  if (!descriptor.conforming() && ((selector & kRplMask) > dpl || cpu.state.cpl > dpl))
    return raise(Fault::gp(error_of(selector)));
  if (!descriptor.present()) return raise(Fault::np(error_of(selector)));
  return {};
}

bool type_allows(u32 attributes, AccessKind kind) {
  const bool code = (attributes & kSegCode) != 0;
  if (kind == AccessKind::write) return !code && (attributes & kSegWritable) != 0;
  return kind == AccessKind::fetch || !code || (attributes & kSegWritable) != 0;
}

bool limit_allows(const SegmentRegister& segment, u32 offset, u32 size) {
  const u64 last = u64{offset} + size - 1;
  constexpr u32 kKind = kSegCode | kSegExpandDown;
  if ((segment.attributes & kKind) != kSegExpandDown) return last <= segment.limit;
  const u64 top = (segment.attributes & kSegBig) != 0 ? 0xffffffff : 0xffff;
  return offset > segment.limit && last <= top;
}

}  // namespace

bool segment_allows(const Cpu& cpu, Seg which, u32 offset, u32 size, AccessKind kind) {
  const SegmentRegister& segment = cpu.state.segment(which);
  const u32 attributes = segment.attributes;
  // Flat writable data, by far the most usual. With this limit an access that wraps may pass (SDM vol.
  // 3A 5.3).
  constexpr u32 kFlatMask = kSegUnusable | kSegCode | kSegExpandDown | kSegWritable;
  if (segment.limit == 0xffffffff && (attributes & kFlatMask) == kSegWritable) [[likely]]
    return true;
  if (!segment.usable()) return false;
  // In real-address mode only the limit counts: CS may be written, whatever its type was.
  if (cpu.protected_mode() && !type_allows(attributes, kind)) return false;
  const bool expand_down = (attributes & (kSegCode | kSegExpandDown)) == kSegExpandDown;
  if (segment.limit == 0xffffffff && !expand_down) return true;
  return limit_allows(segment, offset, size);
}

Outcome<> probe_memory(Cpu& cpu, Seg segment, u32 offset, u32 size) {
  const Gva gva = RS_TRY(linear_address(cpu, segment, offset, size, AccessKind::write));
  RS_TRY(check_alignment(cpu, gva, size));
  return probe_write(cpu, gva, size, cpu.user());
}

void load_real_segment(Cpu& cpu, Seg which, u16 selector) {
  SegmentRegister& segment = cpu.state.segment(which);
  constexpr u32 kRealData = kSegPresent | kSegNotSystem | kSegWritable | kSegAccessed;
  if (cpu.v86()) {
    constexpr u32 kDpl3 = 3u << kSegDplShift;
    segment = {selector, 0, kRealData | kDpl3, 0xffff, 0, u64{selector} << 4};
    return;
  }
  // A null segment left over from protected mode has nothing to keep.
  if (!segment.usable()) segment = {selector, 0, kRealData, 0xffff, 0, 0};
  segment.selector = selector;
  segment.base = u64{selector} << 4;
}

Outcome<> load_segment(Cpu& cpu, Seg which, u16 selector) {
  if (cpu.real_segments()) {
    load_real_segment(cpu, which, selector);
    return {};
  }
  if (is_null(selector)) {
    if (which == Seg::ss) return raise(Fault::gp());
    cpu.state.segment(which) = null_segment(selector);
    return {};
  }
  Descriptor descriptor = RS_TRY(read_descriptor(cpu, selector));
  if (which == Seg::ss) {
    RS_TRY(check_stack_segment(cpu, selector, descriptor));
  } else {
    RS_TRY(check_data_segment(cpu, selector, descriptor));
  }
  RS_TRY(set_accessed(cpu, selector, descriptor));
  cpu.state.segment(which) = segment_from(selector, descriptor);
  return {};
}

void drop_inaccessible_segments(Cpu& cpu) {
  for (Seg which : {Seg::es, Seg::ds, Seg::fs, Seg::gs}) {
    SegmentRegister& segment = cpu.state.segment(which);
    constexpr u32 kConformingCode = kSegCode | kSegExpandDown;
    const bool conforming = (segment.attributes & kConformingCode) == kConformingCode;
    if (segment.usable() && !conforming && segment.dpl() < cpu.state.cpl) segment = null_segment(0);
  }
}

}  // namespace ringshift
