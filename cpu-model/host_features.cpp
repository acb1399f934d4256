// HostFeatures from the host's CPUID (SDM vol. 2A CPUID, leaf 1 ECX).
#include "cpu-model/host_features.h"

#include <cpuid.h>

#include "base/bits.h"

namespace ringshift {

namespace {
struct HostBit {
  CpuFeature feature;
  unsigned ecx_bit;
};
constexpr HostBit kExecutedByTheHost[] = {
    {CpuFeature::sse3, 0},   {CpuFeature::pclmulqdq, 1}, {CpuFeature::ssse3, 9},   {CpuFeature::sse41, 19},
    {CpuFeature::sse42, 20}, {CpuFeature::movbe, 22},    {CpuFeature::popcnt, 23}, {CpuFeature::aes, 25},
};

constexpr u64 mask_of(CpuFeature feature) { return u64{1} << static_cast<unsigned>(feature); }
}  // namespace

HostFeatures HostFeatures::of_this_host() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  __get_cpuid(1, &eax, &ebx, &ecx, &edx);
  HostFeatures host = all();
  for (const HostBit& bit : kExecutedByTheHost)
    if (!has_bit(ecx, bit.ecx_bit)) host = host.without(bit.feature);
  return host;
}

HostFeatures HostFeatures::all() { return HostFeatures(0); }

HostFeatures HostFeatures::without(CpuFeature feature) const {
  return HostFeatures(missing_ | mask_of(feature));
}

bool HostFeatures::has(CpuFeature feature) const { return (missing_ & mask_of(feature)) == 0; }

}  // namespace ringshift
