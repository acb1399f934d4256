// Entries of PAE page tables: their bits, and which of them a guest may set.
#pragma once

#include "paravirt/machine_memory.h"

namespace ringshift::xen {

inline constexpr u64 kPtePresent = 1u << 0;
inline constexpr u64 kPteWritable = 1u << 1;
inline constexpr u64 kPteUser = 1u << 2;
inline constexpr u64 kPteAccessed = 1u << 5;
inline constexpr u64 kPteDirty = 1u << 6;
inline constexpr u64 kPteAvailable = 7u << 9;
inline constexpr u64 kPteNoExecute = u64{1} << 63;
inline constexpr u64 kPteFrame = ((u64{1} << 52) - 1) & ~u64{kPageOffsetMask};

// As BASE_DISALLOW_MASK of Xen: no large pages, cache attributes or global pages; bits 52-62 are the CPU's.
inline constexpr u64 kPteAllowed = kPtePresent | kPteWritable | kPteUser | kPteAccessed | kPteDirty |
                                   kPteAvailable | kPteNoExecute | kPteFrame;
// An L3 entry of PAE has no rights (SDM vol. 3A table 4-8); R/W and U/S are let pass, as 64-bit Xen does.
inline constexpr u64 kL3Allowed =
    kPtePresent | kPteWritable | kPteUser | kPteAccessed | kPteAvailable | kPteFrame;

constexpr u64 frame_of(u64 entry) { return (entry & kPteFrame) >> kPageShift; }
constexpr bool is_present(u64 entry) { return (entry & kPtePresent) != 0; }
constexpr bool is_writable(u64 entry) { return (entry & kPteWritable) != 0; }
constexpr u64 entry_for(Mfn mfn, u64 bits) { return u64{mfn} << kPageShift | bits; }

// Indices of a linear address.
constexpr u32 l1_index(Gva va) { return (va >> 12) & 0x1ff; }
constexpr u32 l2_index(Gva va) { return (va >> 21) & 0x1ff; }
constexpr u32 l3_index(Gva va) { return va >> 30; }

inline constexpr u32 kL3Entries = 4;
inline constexpr u32 kTopSlot = 3;  // of an L3: the gigabyte with the hypervisor in it

}  // namespace ringshift::xen
