// ModeKey: the part of the CPU's state that a translation is made for.
#pragma once

#include "cpu-model/control_registers.h"
#include "cpu-model/cpu.h"

namespace ringshift::bt {

// How accesses through a segment are translated.
enum class SegmentShape : u8 {
  flat,     // base 0, 4 GiB, readable and writable: the offset is the address
  based,    // as flat, with a base to add
  checked,  // limits or types to check: accesses fall back to the interpreter
};

// code: how the segment serves as CS; else for data.
inline SegmentShape shape_of(const SegmentRegister& segment, bool code) {
  const u32 attributes = segment.attributes;
  // Code read through CS needs the readable bit; data the writable one; both stand at the same place.
  const bool type_ok = segment.usable() && (attributes & kSegPresent) != 0 &&
                       (attributes & kSegWritable) != 0 && ((attributes & kSegCode) != 0) == code &&
                       (code || (attributes & kSegExpandDown) == 0);
  if (!type_ok || segment.limit != 0xffffffff) return SegmentShape::checked;
  return segment.base == 0 ? SegmentShape::flat : SegmentShape::based;
}

class ModeKey {
 public:
  ModeKey() = default;
  // Of the CPU as it stands.
  explicit ModeKey(const Cpu& cpu);

  u32 value() const { return bits_; }
  bool operator==(const ModeKey&) const = default;

  SegmentShape shape(Seg segment) const {
    return static_cast<SegmentShape>((bits_ >> (2 * static_cast<unsigned>(segment))) & 3);
  }
  ModeKey with_shape(Seg segment, SegmentShape shape) const {
    const unsigned shift = 2 * static_cast<unsigned>(segment);
    ModeKey key = *this;
    key.bits_ = (key.bits_ & ~(3u << shift)) | static_cast<u32>(shape) << shift;
    return key;
  }
  bool user() const { return (bits_ & kUser) != 0; }
  u8 cpl() const { return (bits_ >> kCplShift) & 3; }
  // CR0.TS or EM: x87, MMX and SSE instructions raise #NM or #UD.
  bool fpu_off() const { return (bits_ & kFpuOff) != 0; }
  // SSE needs CR4.OSFXSR and no EM.
  bool sse_off() const { return (bits_ & kSseOff) != 0; }
  bool paging() const { return (bits_ & kPaging) != 0; }
  // EFLAGS.DF.
  bool downward() const { return (bits_ & kDownward) != 0; }
  // Memory through a shadow window (mmu-shadow/), GS base, instead of lookups. The dispatcher's choice.
  bool window() const { return (bits_ & kWindow) != 0; }
  ModeKey with_window() const {
    ModeKey key = *this;
    key.bits_ |= kWindow;
    return key;
  }
  // RDTSC may execute the host's own. The dispatcher's choice, too.
  bool direct_tsc() const { return (bits_ & kDirectTsc) != 0; }
  ModeKey with_direct_tsc() const {
    ModeKey key = *this;
    key.bits_ |= kDirectTsc;
    return key;
  }
  // 32-bit code on a flat or based stack, no single-stepping, no alignment checks, no armed breakpoints: what
  // the translator handles; anything else runs in the interpreter.
  bool translatable() const { return (bits_ & kInterpret) == 0; }

 private:
  static constexpr u32 kUser = 1u << 12;
  static constexpr u32 kFpuOff = 1u << 13;
  static constexpr u32 kSseOff = 1u << 14;
  static constexpr u32 kPaging = 1u << 15;
  static constexpr u32 kInterpret = 1u << 16;
  static constexpr unsigned kCplShift = 17;
  static constexpr u32 kDownward = 1u << 19;
  static constexpr u32 kWindow = 1u << 20;
  static constexpr u32 kDirectTsc = 1u << 21;
  u32 bits_ = 0;
};

inline ModeKey::ModeKey(const Cpu& cpu) {
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
