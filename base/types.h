// Fixed-width integers and the kinds of address.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ringshift {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using i8 = std::int8_t;
using i16 = std::int16_t;
using i32 = std::int32_t;
using i64 = std::int64_t;

// Guest-virtual (linear) address, after segmentation; 32 bits in every mode that exists today.
using Gva = u32;
// Guest-physical address; up to 36 bits with PAE.
using Gpa = u64;
// Host-virtual address inside the monitor.
using Hva = u8*;

inline constexpr u32 kPageShift = 12;
inline constexpr u32 kPageSize = 1u << kPageShift;
inline constexpr u32 kPageOffsetMask = kPageSize - 1;

}  // namespace ringshift
