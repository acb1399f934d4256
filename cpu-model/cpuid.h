// CpuidTable: what the CPUID instruction answers, frozen when the machine is made; never the host's own.
#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace ringshift {

struct CpuidRegisters {
  u32 eax, ebx, ecx, edx;
  bool operator==(const CpuidRegisters&) const = default;
};

// Features that the CPU model itself must ask for; each is a bit of the table (SDM vol. 2A CPUID).
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

class CpuidTable {
 public:
  // model: "n270" (the default: family 6 model 28, so that kernels see a part without speculation bugs),
  // "pentium3" or "core2". An unknown name is a usage error that lists the known.
  static Result<CpuidTable> create(std::string_view model);

  // An unknown leaf answers as the highest basic leaf does (SDM vol. 2A CPUID); `subleaf` is ECX.
  // The APIC bit, OSXSAVE and the like do not depend on state here: callers may patch (APIC disabled).
  CpuidRegisters query(u32 leaf, u32 subleaf) const;
  bool has(CpuFeature feature) const { return has_bit_of_[static_cast<unsigned>(feature)]; }
  // Leaf 1 EAX.
  u32 signature() const;

 private:
  struct Leaf {
    u32 leaf, subleaf;
    CpuidRegisters registers;
  };
  std::vector<Leaf> leaves_;
  bool has_bit_of_[64] = {};
};

}  // namespace ringshift
