// The mode key of a CPU state.
#include "translator/mode_key.h"

#include "cpu-model/control_registers.h"

namespace ringshift::bt {

namespace {

SegmentShape shape_of(const SegmentRegister& segment, bool code) {
  const u32 attributes = segment.attributes;
  // Code read through CS needs the readable bit; data the writable one; both stand at the same place.
  const bool type_ok = segment.usable() && (attributes & kSegPresent) != 0 &&
                       (attributes & kSegWritable) != 0 && ((attributes & kSegCode) != 0) == code &&
                       (code || (attributes & kSegExpandDown) == 0);
  if (!type_ok || segment.limit != 0xffffffff) return SegmentShape::checked;
  return segment.base == 0 ? SegmentShape::flat : SegmentShape::based;
}

}  // namespace

ModeKey::ModeKey(const Cpu& cpu) {
  const VcpuState& state = cpu.state;
  for (unsigned i = 0; i < kSegCount; ++i)
    bits_ |= static_cast<u32>(shape_of(state.seg[i], static_cast<Seg>(i) == Seg::cs)) << (2 * i);
  if (cpu.user()) bits_ |= kUser;
  if ((state.cr0 & (kCr0Ts | kCr0Em)) != 0) bits_ |= kFpuOff;
  if ((state.cr0 & (kCr0Ts | kCr0Em)) != 0 || (state.cr4 & kCr4OsFxsr) == 0) bits_ |= kSseOff;
  if (cpu.paging()) bits_ |= kPaging;
  if ((state.rflags & kFlagDf) != 0) bits_ |= kDownward;
  bits_ |= u32{state.cpl} << kCplShift;
  const bool alignment_checks = (state.rflags & kFlagAc) != 0 && (state.cr0 & kCr0Am) != 0 && cpu.user();
  const bool interpret = !cpu.protected_mode() || cpu.v86() || !cpu.code32() || !cpu.stack32() ||
                         shape(Seg::cs) != SegmentShape::flat || shape(Seg::ss) == SegmentShape::checked ||
                         (state.rflags & kFlagTf) != 0 || alignment_checks || breakpoints_armed(cpu);
  if (interpret) bits_ |= kInterpret;
}

}  // namespace ringshift::bt
