// The fields of an FXSAVE image (SDM vol. 1 10.5.1, table 10-2).
#pragma once

#include <cstring>

#include "cpu-model/vcpu_state.h"

namespace ringshift {

// Byte offsets.
inline constexpr unsigned kFxFcw = 0;
inline constexpr unsigned kFxFsw = 2;
inline constexpr unsigned kFxTags = 4;  // abridged: bit n is 1 if physical register n is in use
inline constexpr unsigned kFxFop = 6;
inline constexpr unsigned kFxFip = 8;
inline constexpr unsigned kFxFcs = 12;
inline constexpr unsigned kFxFdp = 16;
inline constexpr unsigned kFxFds = 20;
inline constexpr unsigned kFxMxcsr = 24;
inline constexpr unsigned kFxMxcsrMask = 28;
inline constexpr unsigned kFxSt = 32;  // ST(0) first, 16 bytes each, 10 used
inline constexpr unsigned kFxXmm = 160;
inline constexpr unsigned kFxXmmEnd = 288;  // XMM8-15 follow, which 32-bit code neither loads nor stores

// FSW.
inline constexpr u16 kFswPrecision = 1u << 5;
inline constexpr u16 kFswExceptions = 0x3f;
inline constexpr u16 kFswStackFault = 1u << 6;
inline constexpr u16 kFswSummary = 1u << 7;
inline constexpr u16 kFswBusy = 1u << 15;

inline constexpr u16 kFcwInitial = 0x037f;
// Bits of FCW that exist; bit 6 always reads 1.
inline constexpr u16 kFcwMask = 0x1f3f;
inline constexpr u16 kFcwFixed = 0x0040;
inline constexpr u32 kMxcsrInitial = 0x1f80;
inline constexpr u32 kMxcsrExceptions = 0x3f;
inline constexpr u32 kMxcsrMasks = 0x1f80;
inline constexpr u32 kMxcsrFlushToZero = 1u << 15;
inline constexpr u32 kMxcsrUnderflow = 1u << 4;

template <class T>
T fx_get(const FxState& fx, unsigned offset) {
  T value;
  std::memcpy(&value, fx.bytes + offset, sizeof value);
  return value;
}
template <class T>
void fx_put(FxState& fx, unsigned offset, T value) {
  std::memcpy(fx.bytes + offset, &value, sizeof value);
}

inline u16 fx_fcw(const FxState& fx) { return fx_get<u16>(fx, kFxFcw); }
inline u16 fx_fsw(const FxState& fx) { return fx_get<u16>(fx, kFxFsw); }
inline u32 fx_mxcsr(const FxState& fx) { return fx_get<u32>(fx, kFxMxcsr); }
inline unsigned fx_top(const FxState& fx) { return (fx_fsw(fx) >> 11) & 7; }

inline u16 clean_fcw(u16 fcw) { return static_cast<u16>((fcw & kFcwMask) | kFcwFixed); }
// FSW with ES and B as the flags and masks make them.
inline u16 with_summary(u16 fsw, u16 fcw) {
  const bool pending = (fsw & ~fcw & kFswExceptions) != 0;
  const u16 rest = fsw & static_cast<u16>(~(kFswSummary | kFswBusy));
  return pending ? rest | kFswSummary | kFswBusy : rest;
}
// An unmasked exception that the next waiting instruction reports.
inline bool x87_pending(const FxState& fx) { return (fx_fsw(fx) & ~fx_fcw(fx) & kFswExceptions) != 0; }

// MMX instructions make TOP 0 and all registers valid (SDM vol. 1 9.5.1): in what order the registers stand
// in the image changes with it. They do so even if a SIMD exception follows.
inline void enter_mmx_state(FxState& fx) {
  u8 registers[8][16];
  const unsigned top = fx_top(fx);
  for (unsigned i = 0; i < 8; ++i) std::memcpy(registers[i], fx.bytes + kFxSt + 16 * ((i - top) & 7), 16);
  std::memcpy(fx.bytes + kFxSt, registers, sizeof registers);
  constexpr u16 kTop = 7 << 11;
  fx_put<u16>(fx, kFxFsw, fx_fsw(fx) & static_cast<u16>(~kTop));
  fx.bytes[kFxTags] = 0xff;
}

}  // namespace ringshift
