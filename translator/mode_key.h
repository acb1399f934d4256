// ModeKey: the part of the CPU's state that a translation is made for.
#pragma once

#include "cpu-model/cpu.h"

namespace ringshift::bt {

// How accesses through a segment are translated.
enum class SegmentShape : u8 {
  flat,     // base 0, 4 GiB, readable and writable: the offset is the address
  based,    // as flat, with a base to add
  checked,  // limits or types to check: accesses fall back to the interpreter
};

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

}  // namespace ringshift::bt
