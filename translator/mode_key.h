// ModeKey: the part of the CPU's state that a translation is made for.
#pragma once

#include "cpu-model/control_registers.h"
#include "cpu-model/cpu.h"
#include "cpu-model/instruction.h"

namespace ringshift::bt {

// How accesses through a segment are translated. Bases and limits are read from VcpuState, but for CS's
// limit.
enum class SegmentShape : u8 {
  flat,       // base 0, 4 GiB, readable and writable: the offset is the address
  based,      // as flat, with a base to add
  limited,    // as based, with a limit to check
  read_only,  // limited, and writes are interpreted: code, or data that isn't writable
  down,       // expand-down: offsets lie above the limit
  down_64k,   // the same, and not above FFFF
  denied,     // every access is interpreted: null, execute-only, and what is rare
};

// Whose rules a segment register is under: descriptors' types count, or they don't.
enum class SegmentRules : u8 { descriptors, real_address, v86 };

// segment_allows (cpu-model/segmentation.h), sorted into what emitted code checks.
inline SegmentShape shape_of(const SegmentRegister& segment, Seg which, SegmentRules rules) {
  const u32 attributes = segment.attributes;
  // What nearly all are, first: writable data up to 4 GiB.
  constexpr u32 kDecides = kSegUnusable | kSegPresent | kSegCode | kSegExpandDown | kSegWritable;
  if ((attributes & kDecides) == (kSegPresent | kSegWritable) && segment.limit == 0xffffffff &&
      rules == SegmentRules::descriptors && which != Seg::cs)
    return segment.base == 0 ? SegmentShape::flat : SegmentShape::based;
  if (!segment.usable() || (attributes & kSegPresent) == 0) return SegmentShape::denied;
  const bool code = (attributes & kSegCode) != 0;
  const bool down = !code && (attributes & kSegExpandDown) != 0;
  if (rules != SegmentRules::real_address) {
    // Code read through needs the readable bit; data the writable one; both stand at the same place.
    const bool second = (attributes & kSegWritable) != 0;
    const bool unusual_cs = which == Seg::cs && rules == SegmentRules::v86 && (code || !second);
    if ((code && !second) || unusual_cs) return SegmentShape::denied;
    const bool read_only = which != Seg::cs && (code || !second);
    if (read_only) return down ? SegmentShape::denied : SegmentShape::read_only;
  }
  if (down) return (attributes & kSegBig) != 0 ? SegmentShape::down : SegmentShape::down_64k;
  if (segment.limit != 0xffffffff) return SegmentShape::limited;
  // A load changes nothing but the base in real-address mode: it should not change the key.
  return segment.base == 0 && rules == SegmentRules::descriptors ? SegmentShape::flat : SegmentShape::based;
}

class ModeKey {
 public:
  ModeKey() = default;
  // Of the CPU as it stands.
  explicit ModeKey(const Cpu& cpu);

  bool operator==(const ModeKey&) const = default;
  u64 hash() const { return (bits_ ^ (u64{~cs_limit_} << 32)) * kHashFactor; }
  // For tables by mode and CS's base; the low bits are as good as any.
  unsigned hash_with(u32 cs_base) const {
    return static_cast<unsigned>(((hash() ^ cs_base) * kHashFactor) >> 32) >> 16;
  }

  SegmentShape shape(Seg segment) const {
    return static_cast<SegmentShape>((bits_ >> (3 * static_cast<unsigned>(segment))) & 7);
  }
  bool readable(Seg segment) const { return shape(segment) != SegmentShape::denied; }
  bool writable(Seg segment) const {
    // Only the CPU modes without descriptors let CS be written (SDM vol. 3A 5.3).
    return readable(segment) && shape(segment) != SegmentShape::read_only &&
           (segment != Seg::cs || real_segments());
  }
  ModeKey with_shape(Seg segment, SegmentShape shape) const {
    const unsigned shift = 3 * static_cast<unsigned>(segment);
    ModeKey key = *this;
    key.bits_ = (key.bits_ & ~(u64{7} << shift)) | static_cast<u64>(shape) << shift;
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
  // CS.D = 0, SS.B = 0; real-address or v8086 mode.
  bool code16() const { return (bits_ & kCode16) != 0; }
  bool stack16() const { return (bits_ & kStack16) != 0; }
  bool real_segments() const { return (bits_ & kRealSegments) != 0; }
  bool v86() const { return real_segments() && cpl() == 3; }
  CodeMode code_mode() const {
    if (real_segments()) return code16() ? CodeMode::real16 : CodeMode::real32;
    return code16() ? CodeMode::protected16 : CodeMode::protected32;
  }
  // INT n goes to Cpu::delivery_hook.
  bool hooked() const { return (bits_ & kHooked) != 0; }
  // EIP beyond it is #GP.
  u32 cs_limit() const { return cs_limit_; }
  // One EIP on one physical page may stand for several linear addresses: CS has a base, and pages are mapped.
  bool shifting() const { return (bits_ & kShifting) != 0; }
  // EIP is the linear address, and wraps at 4 GiB only: code may be met at any page.
  bool relocatable() const { return paging() && !code16() && shape(Seg::cs) == SegmentShape::flat; }
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
  // No single-stepping, no alignment checks, no armed breakpoints: those run in the interpreter.
  bool translatable() const { return (bits_ & kInterpret) == 0; }

 private:
  static constexpr u64 kHashFactor = 0x9e3779b97f4a7c15u;
  static constexpr u64 kUser = 1u << 18;
  static constexpr u64 kFpuOff = 1u << 19;
  static constexpr u64 kSseOff = 1u << 20;
  static constexpr u64 kPaging = 1u << 21;
  static constexpr u64 kInterpret = 1u << 22;
  static constexpr unsigned kCplShift = 23;
  static constexpr u64 kDownward = 1u << 25;
  static constexpr u64 kWindow = 1u << 26;
  static constexpr u64 kDirectTsc = 1u << 27;
  static constexpr u64 kCode16 = 1u << 28;
  static constexpr u64 kStack16 = 1u << 29;
  static constexpr u64 kRealSegments = 1u << 30;
  static constexpr u64 kShifting = u64{1} << 31;
  static constexpr u64 kHooked = u64{1} << 32;
  u64 bits_ = 0;
  u32 cs_limit_ = 0xffffffff;
};

inline ModeKey::ModeKey(const Cpu& cpu) {
  const VcpuState& state = cpu.state;
  const SegmentRegister& cs = state.segment(Seg::cs);
  const SegmentRules rules = !cpu.protected_mode() ? SegmentRules::real_address
                             : cpu.v86()           ? SegmentRules::v86
                                                   : SegmentRules::descriptors;
  for (unsigned i = 0; i < kSegCount; ++i)
    bits_ |= static_cast<u64>(shape_of(state.seg[i], static_cast<Seg>(i), rules)) << (3 * i);
  if (cpu.user()) bits_ |= kUser;
  if ((state.cr0 & (kCr0Ts | kCr0Em)) != 0) bits_ |= kFpuOff;
  if ((state.cr0 & (kCr0Ts | kCr0Em)) != 0 || (state.cr4 & kCr4OsFxsr) == 0) bits_ |= kSseOff;
  if (cpu.paging()) bits_ |= kPaging;
  if ((state.rflags & kFlagDf) != 0) bits_ |= kDownward;
  if (!cpu.code32()) bits_ |= kCode16;
  if (!cpu.stack32()) bits_ |= kStack16;
  if (cpu.real_segments()) bits_ |= kRealSegments;
  if (cpu.delivery_hook != nullptr) bits_ |= kHooked;
  if (cpu.paging() && cs.base != 0) bits_ |= kShifting;
  bits_ |= u64{state.cpl} << kCplShift;
  cs_limit_ = cs.limit;
  const bool alignment_checks = (state.rflags & kFlagAc) != 0 && (state.cr0 & kCr0Am) != 0 && cpu.user();
  if (!cs.usable() || (state.rflags & kFlagTf) != 0 || alignment_checks || breakpoints_armed(cpu))
    bits_ |= kInterpret;
}

}  // namespace ringshift::bt
