// CpuFeature: the features that the CPU model itself must ask for; each is a bit of CPUID (SDM vol. 2A
// CPUID).
#pragma once

#include "base/types.h"

namespace ringshift {

enum class CpuFeature : u8 {
  // leaf 1 EDX
  fpu,
  vme,
  de,
  pse,
  tsc,
  msr,
  pae,
  cx8,
  apic,
  sep,
  mtrr,
  pge,
  cmov,
  pat,
  mmx,
  fxsr,
  sse,
  sse2,
  // leaf 1 ECX
  sse3,
  ssse3,
  sse41,
  sse42,
  popcnt,
  aes,
  pclmulqdq,
  movbe,
  // leaf 7 EBX: FIP is updated only on errors; FCS and FDS are deprecated (design 2.8)
  fdp_exceptions_only,
  no_fcs_fds,
  // leaf 80000001 EDX
  nx,
  rdtscp,
};

}  // namespace ringshift
