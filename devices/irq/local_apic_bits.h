// Bits of the local APIC's registers that several of its files know.
#pragma once

#include "base/types.h"

namespace ringshift::apic {

inline constexpr u32 kMasked = 1u << 16;  // of an LVT entry
// Of ESR.
inline constexpr u32 kSendIllegal = 1u << 5, kReceiveIllegal = 1u << 6, kIllegalRegister = 1u << 7;

}  // namespace ringshift::apic
