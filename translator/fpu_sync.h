// Moving x87, MMX and SSE state between the CPU (where it lives while translated code runs) and
// VcpuState::fx.
//
// While a helper runs, XMM0-7 and MXCSR are in BtContext and only the x87 registers are live in the CPU.
#pragma once

#include <cstring>

#include "translator/bt_context.h"

namespace ringshift::bt {

// FXSAVE layout (SDM vol. 1 table 10-2).
inline constexpr unsigned kFxFop = 6;  // 18 bytes with FIP, FCS, FDP, FDS
inline constexpr unsigned kFxPointers = 18;
inline constexpr unsigned kFxMxcsr = 24;
inline constexpr unsigned kFxXmm = 160;

// Into VcpuState::fx. The last instruction's opcode and pointers are the host's own: 0, as the interpreter
// has them, and as CPUID promises (design 2.8). What a 32-bit guest has no registers for stays 0.
inline void save_fpu(BtContext& context) {
  u8* const fx = context.state->fx.bytes;
  asm volatile("fxsave %0" : "=m"(context.state->fx));
  std::memset(fx + kFxFop, 0, kFxPointers);
  std::memcpy(fx + kFxMxcsr, &context.guest_mxcsr, 4);
  std::memcpy(fx + kFxXmm, context.xmm, sizeof context.xmm);
  std::memset(fx + kFxXmm + sizeof context.xmm, 0, sizeof(FxState) - kFxXmm - sizeof context.xmm);
}

inline void load_fpu(BtContext& context) {
  const u8* const fx = context.state->fx.bytes;
  std::memcpy(&context.guest_mxcsr, fx + kFxMxcsr, 4);
  std::memcpy(context.xmm, fx + kFxXmm, sizeof context.xmm);
  asm volatile("fxrstor %0\n\tldmxcsr %1" : : "m"(context.state->fx), "m"(context.host_mxcsr));
}

// The monitor's own x87 state, when translated code isn't running.
inline void reset_host_fpu() { asm volatile("fninit"); }

}  // namespace ringshift::bt
