// Division of 64-bit numbers: a guest has no compiler library for it.
#pragma once

#include "runtime/types.h"

// Schoolbook division with 32-bit digits: two DIVs, none of which can overflow.
inline u64 divide(u64 value, u32 by) {
  const u32 high = static_cast<u32>(value >> 32);
  const u32 quotient_high = high / by;
  u32 quotient_low, rest;
  asm("divl %4" : "=a"(quotient_low), "=d"(rest) : "a"(static_cast<u32>(value)), "d"(high % by), "r"(by));
  return u64{quotient_high} << 32 | quotient_low;
}
