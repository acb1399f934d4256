// The two-operand integer operations as types, for templates over them.
#pragma once

#include "cpu-model/interp/alu.h"

namespace ringshift {

// run(a, b, carry, flags) gives the result and the host's flags; kFlags are those that the instruction
// changes.
#define RINGSHIFT_OPERATION(Name, flags_changed, call)     \
  struct Name {                                            \
    static constexpr u32 kFlags = flags_changed;           \
    template <class T>                                     \
    static T run(T a, T b, u32 carry, FlagsImage& flags) { \
      (void)carry;                                         \
      return call;                                         \
    }                                                      \
  };
RINGSHIFT_OPERATION(Add, kArithmeticFlags, alu_add<T>(a, b, flags))
RINGSHIFT_OPERATION(Adc, kArithmeticFlags, alu_adc<T>(a, b, carry, flags))
RINGSHIFT_OPERATION(Sub, kArithmeticFlags, alu_sub<T>(a, b, flags))
RINGSHIFT_OPERATION(Sbb, kArithmeticFlags, alu_sbb<T>(a, b, carry, flags))
RINGSHIFT_OPERATION(And, kArithmeticFlags, alu_and<T>(a, b, flags))
RINGSHIFT_OPERATION(Or, kArithmeticFlags, alu_or<T>(a, b, flags))
RINGSHIFT_OPERATION(Xor, kArithmeticFlags, alu_xor<T>(a, b, flags))
// With b = 1; CF stays.
RINGSHIFT_OPERATION(Inc, kArithmeticFlags & ~kFlagCf, alu_add<T>(a, b, flags))
RINGSHIFT_OPERATION(Dec, kArithmeticFlags & ~kFlagCf, alu_sub<T>(a, b, flags))
#undef RINGSHIFT_OPERATION

}  // namespace ringshift
