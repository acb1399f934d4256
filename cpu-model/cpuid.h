// CpuidTable: what the CPUID instruction answers, frozen when the machine is made; never the host's own.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "cpu-model/cpu_feature.h"
#include "cpu-model/host_features.h"

namespace ringshift {

// Bits of a physical address (leaf 80000008), and those that no address has.
inline constexpr unsigned kPhysicalBits = 36;
inline constexpr u64 kAbovePhysical = ~((u64{1} << kPhysicalBits) - 1);

struct CpuidRegisters {
  u32 eax, ebx, ecx, edx;
  bool operator==(const CpuidRegisters&) const = default;
};

// Where CPUID tells of a feature.
struct CpuidFeatureBit {
  enum class Reg : u8 { ebx, ecx, edx };
  CpuFeature feature;
  std::string_view name;
  u32 leaf;
  Reg reg;
  u8 bit;
};
std::span<const CpuidFeatureBit> cpuid_feature_bits();

class CpuidTable {
 public:
  // model: "n270" (the default: family 6 model 28, so that kernels see a part without speculation bugs),
  // "pentium3" or "core2". An unknown name is a usage error that lists the known. What the host can't execute
  // is left out, so that the guest gets #UD for it, and not the monitor.
  static Result<CpuidTable> create(std::string_view model,
                                   const HostFeatures& host = HostFeatures::of_this_host());

  struct Leaf {
    u32 leaf, subleaf;
    CpuidRegisters registers;
  };
  // An unknown leaf answers as the highest basic leaf does (SDM vol. 2A CPUID); `subleaf` is ECX.
  // The APIC bit, OSXSAVE and the like do not depend on state here: callers may patch (APIC disabled).
  CpuidRegisters query(u32 leaf, u32 subleaf) const {
    const Leaf* found = find(leaf, subleaf);
    // Leaves 0 and 80000000 tell the highest of their kinds.
    const u32 highest = leaf < 0x80000000 ? highest_basic() : highest_extended_;
    if (found == nullptr && leaf > highest) found = find(highest_basic(), subleaf);
    return found != nullptr ? found->registers : CpuidRegisters{};
  }
  bool has(CpuFeature feature) const { return has_bit_of_[static_cast<unsigned>(feature)]; }
  // Leaf 1 EAX.
  u32 signature() const;
  // All that is answered with something else than zeros, for an engine whose hardware executes CPUID.
  const std::vector<Leaf>& leaves() const { return leaves_; }

 private:
  u32 highest_basic() const { return leaves_.front().registers.eax; }
  const Leaf* find(u32 leaf, u32 subleaf) const {
    const bool has_subleaves = leaf == 4 || leaf == 7;
    for (const Leaf& l : leaves_)
      if (l.leaf == leaf && (!has_subleaves || l.subleaf == subleaf)) return &l;
    return nullptr;
  }

  u32 highest_extended_ = 0;
  std::vector<Leaf> leaves_;
  bool has_bit_of_[64] = {};
};

}  // namespace ringshift
