// The MP table (Intel MultiProcessor Specification 1.4), for guests that don't use ACPI.
#pragma once

#include <vector>

#include "base/types.h"

namespace ringshift {

// Where the board puts it: in the BIOS area that guests search (F0000h-FFFFFh).
inline constexpr Gpa kMpTableGpa = 0xf8000;

// What CPUID leaf 1 says of the CPU.
struct MpCpu {
  u32 signature = 0x106c2;
  u32 features = 0x201;
};

// The bytes to be placed at gpa (16-byte aligned): the floating pointer, then the configuration table.
std::vector<u8> build_mp_table(Gpa gpa, const MpCpu& cpu);

}  // namespace ringshift
