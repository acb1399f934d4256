// What DPPS and DPPD raise: the exceptions of each multiplication and addition, in their order, up to the
// first that is unmasked (SDM vol. 2A DPPD, DPPS).
#pragma once

#include "base/types.h"

namespace ringshift {

// The exception flags to set, for operands of 16 bytes and the guest's MXCSR, one of whose unmasked
// exceptions is raised.
u32 dot_product_exceptions(bool is_double, const u8* first, const u8* second, u8 selection, u32 mxcsr);

// Invalid, denormal and divide-by-zero are found before an operation, which then doesn't take place: what it
// reports of all that it raises.
constexpr u32 reported_exceptions(u32 raised, u32 mxcsr) {
  constexpr u32 kBeforeOperation = 7;
  return (raised & ~(mxcsr >> 7) & kBeforeOperation) != 0 ? raised & kBeforeOperation : raised;
}

}  // namespace ringshift
