// The host's own ALU, so that results and flags, the undefined ones too, are what hardware gives.
//
// Flags travel between asm and C++ as a FlagsImage, the way LAHF and SETO leave them in AX: PUSHF would cost
// 16 cycles more and write below the stack pointer, into the red zone.
#pragma once

#include <concepts>

#include "cpu-model/vcpu_state.h"

namespace ringshift {

// AH: SF ZF AF PF CF at their EFLAGS places; AL: OF.
using FlagsImage = u16;

// For inline asm: host flags from a FlagsImage in AX (destroys it), and back to AX. A full load/store pair
// around an instruction keeps what it leaves unchanged.
#define RS_LOAD_FLAGS "addb $0x7f, %%al\n\tsahf\n\t"
#define RS_SAVE_FLAGS "\n\tlahf\n\tseto %%al"

inline constexpr u32 kLahfFlags = kArithmeticFlags & ~kFlagOf;

inline u32 flags_of_image(FlagsImage image) { return ((image >> 8) & kLahfFlags) | ((image & 1u) << 11); }
inline FlagsImage image_of_flags(u64 rflags) {
  return static_cast<FlagsImage>(((rflags & kLahfFlags) << 8) | ((rflags >> 11) & 1));
}
// Replaces the flags in `mask` by the image's.
inline void set_flags(VcpuState& state, FlagsImage image, u32 mask = kArithmeticFlags) {
  state.rflags = (state.rflags & ~u64{mask}) | (flags_of_image(image) & mask);
}
inline void set_flag(VcpuState& state, u32 flag, bool value) {
  state.rflags = value ? state.rflags | flag : state.rflags & ~u64{flag};
}
inline bool flag(const VcpuState& state, u32 mask) { return (state.rflags & mask) != 0; }

template <class T>
concept AluWord = std::same_as<T, u8> || std::same_as<T, u16> || std::same_as<T, u32>;

#define RINGSHIFT_ALU_BINARY(name, mnemonic)                                                  \
  template <AluWord T>                                                                        \
  inline T name(T a, T b, FlagsImage& flags) {                                                \
    asm(mnemonic " %[b], %[a]" RS_SAVE_FLAGS : [a] "+r"(a), "=a"(flags) : [b] "r"(b) : "cc"); \
    return a;                                                                                 \
  }
RINGSHIFT_ALU_BINARY(alu_add, "add")
RINGSHIFT_ALU_BINARY(alu_sub, "sub")
RINGSHIFT_ALU_BINARY(alu_and, "and")
RINGSHIFT_ALU_BINARY(alu_or, "or")
RINGSHIFT_ALU_BINARY(alu_xor, "xor")
#undef RINGSHIFT_ALU_BINARY

// ADC and SBB: the carry comes from `carry` (0 or 1).
#define RINGSHIFT_ALU_CARRY(name, mnemonic)                         \
  template <AluWord T>                                              \
  inline T name(T a, T b, u32 carry, FlagsImage& flags) {           \
    asm("btl $0, %[carry]\n\t" mnemonic " %[b], %[a]" RS_SAVE_FLAGS \
        : [a] "+r"(a), "=a"(flags)                                  \
        : [b] "r"(b), [carry] "r"(carry)                            \
        : "cc");                                                    \
    return a;                                                       \
  }
RINGSHIFT_ALU_CARRY(alu_adc, "adc")
RINGSHIFT_ALU_CARRY(alu_sbb, "sbb")
#undef RINGSHIFT_ALU_CARRY

template <AluWord T>
inline T alu_neg(T a, FlagsImage& flags) {
  asm("neg %[a]" RS_SAVE_FLAGS : [a] "+r"(a), "=a"(flags) : : "cc");
  return a;
}

// The condition of Jcc, SETcc and CMOVcc: the low 4 bits of the opcode (SDM vol. 1 appendix B).
inline bool condition_holds(const VcpuState& state, unsigned condition) {
  const u32 f = state.eflags();
  bool holds = false;
  switch ((condition >> 1) & 7) {
    case 0:
      holds = (f & kFlagOf) != 0;
      break;
    case 1:
      holds = (f & kFlagCf) != 0;
      break;
    case 2:
      holds = (f & kFlagZf) != 0;
      break;
    case 3:
      holds = (f & (kFlagCf | kFlagZf)) != 0;
      break;
    case 4:
      holds = (f & kFlagSf) != 0;
      break;
    case 5:
      holds = (f & kFlagPf) != 0;
      break;
    case 6:
      holds = ((f >> 7) & 1) != ((f >> 11) & 1);
      break;
    case 7:
      holds = (f & kFlagZf) != 0 || ((f >> 7) & 1) != ((f >> 11) & 1);
      break;
  }
  return holds != ((condition & 1) != 0);
}

}  // namespace ringshift
