// The rules for descriptors in a guest's GDT and LDT.
#include "paravirt/descriptor_check.h"

namespace ringshift::xen {

namespace {
constexpr u32 kAccessed = 1u << 8;
constexpr u32 kTypeMask = 0xf00;
constexpr u32 kNotSystem = 1u << 12;
constexpr unsigned kDplShift = 13;
constexpr u32 kDplMask = 3u << kDplShift;
constexpr u32 kPresent = 1u << 15;
constexpr u32 kLong = 1u << 21;
}  // namespace

bool check_descriptor(u64& descriptor) {
  u32 high = static_cast<u32>(descriptor >> 32);
  // It faults when used, so it is safe.
  if ((high & kPresent) == 0) return true;
  if ((high & kDplMask) == 0) high |= 1u << kDplShift;
  if ((high & kNotSystem) == 0) {
    // Type 0 is harmless. Gates, TSSs and LDTs are not: call gates aren't offered here.
    if ((high & kTypeMask) != 0) return false;
  } else {
    if ((high & kLong) != 0) return false;
    high |= kAccessed;
  }
  descriptor = (descriptor & 0xffffffff) | u64{high} << 32;
  return true;
}

}  // namespace ringshift::xen
