// The CPU models: which CPUID leaves each one answers (SDM vol. 2A CPUID).
#include "cpu-model/cpuid.h"

#include <algorithm>
#include <cstring>
#include <initializer_list>
#include <iterator>
#include <string>

#include "base/bits.h"

namespace ringshift {

namespace {

using enum CpuFeature;
using Reg = CpuidFeatureBit::Reg;
constexpr CpuidFeatureBit kFeatureBits[] = {
    {fpu, "fpu", 1, Reg::edx, 0},
    {vme, "vme", 1, Reg::edx, 1},
    {de, "de", 1, Reg::edx, 2},
    {pse, "pse", 1, Reg::edx, 3},
    {tsc, "tsc", 1, Reg::edx, 4},
    {msr, "msr", 1, Reg::edx, 5},
    {pae, "pae", 1, Reg::edx, 6},
    {cx8, "cx8", 1, Reg::edx, 8},
    {apic, "apic", 1, Reg::edx, 9},
    {sep, "sep", 1, Reg::edx, 11},
    {mtrr, "mtrr", 1, Reg::edx, 12},
    {pge, "pge", 1, Reg::edx, 13},
    {cmov, "cmov", 1, Reg::edx, 15},
    {pat, "pat", 1, Reg::edx, 16},
    {mmx, "mmx", 1, Reg::edx, 23},
    {fxsr, "fxsr", 1, Reg::edx, 24},
    {sse, "sse", 1, Reg::edx, 25},
    {sse2, "sse2", 1, Reg::edx, 26},
    {sse3, "sse3", 1, Reg::ecx, 0},
    {pclmulqdq, "pclmulqdq", 1, Reg::ecx, 1},
    {ssse3, "ssse3", 1, Reg::ecx, 9},
    {sse41, "sse41", 1, Reg::ecx, 19},
    {sse42, "sse42", 1, Reg::ecx, 20},
    {movbe, "movbe", 1, Reg::ecx, 22},
    {popcnt, "popcnt", 1, Reg::ecx, 23},
    {aes, "aes", 1, Reg::ecx, 25},
    {fdp_exceptions_only, "fdp_exceptions_only", 7, Reg::ebx, 6},
    {no_fcs_fds, "no_fcs_fds", 7, Reg::ebx, 13},
    {nx, "nx", 0x80000001, Reg::edx, 20},
    {rdtscp, "rdtscp", 0x80000001, Reg::edx, 27},
};

struct Model {
  std::string_view name;
  std::string_view brand;
  u32 signature;  // leaf 1 EAX
  u32 max_basic;
  u32 max_extended;
  u64 features;  // bit number: CpuFeature
};

constexpr u64 set_of(std::initializer_list<CpuFeature> features) {
  u64 set = 0;
  for (CpuFeature feature : features) set |= u64{1} << static_cast<unsigned>(feature);
  return set;
}

constexpr u64 kPentium3 =
    set_of({fpu, vme, de, pse, tsc, msr, pae, cx8, apic, sep, mtrr, pge, cmov, pat, mmx, fxsr, sse});
constexpr u64 kCore2 = kPentium3 | set_of({sse2, sse3, ssse3, sse41, nx, fdp_exceptions_only, no_fcs_fds});
// The features that are promised, on the part that kernels take for free of speculation bugs (design 2.14).
constexpr u64 kN270 = kCore2 | set_of({sse42, popcnt, aes, rdtscp});

constexpr Model kModels[] = {
    {"n270", "Ringshift Virtual CPU (n270)", 0x000106c2, 7, 0x80000008, kN270},
    {"core2", "Ringshift Virtual CPU (core2)", 0x0001067a, 7, 0x80000008, kCore2},
    {"pentium3", "Ringshift Virtual CPU (pentium3)", 0x00000686, 2, 0x80000004, kPentium3},
};

const Model* find_model(std::string_view name) {
  for (const Model& model : kModels)
    if (model.name == name) return &model;
  return nullptr;
}

std::string model_names() {
  std::string names;
  for (const Model& model : kModels) names += (names.empty() ? "" : ", ") + std::string(model.name);
  return names;
}

bool offers(const Model& model, CpuFeature feature) {
  return has_bit(model.features, static_cast<unsigned>(feature));
}

Model executable_on(const HostFeatures& host, Model model) {
  for (const CpuidFeatureBit& f : kFeatureBits)
    if (!host.has(f.feature)) model.features &= ~set_of({f.feature});
  return model;
}

CpuidRegisters feature_leaf(const Model& model, u32 leaf) {
  CpuidRegisters r{};
  for (const CpuidFeatureBit& f : kFeatureBits) {
    if (f.leaf != leaf || !offers(model, f.feature)) continue;
    u32& reg = f.reg == Reg::ebx ? r.ebx : f.reg == Reg::ecx ? r.ecx : r.edx;
    reg |= 1u << f.bit;
  }
  return r;
}

// One logical processor, APIC ID 0. CLFLUSH comes with SSE2 here, in lines of 64 bytes.
CpuidRegisters leaf_1(const Model& model) {
  constexpr u32 kClflushFeature = 1u << 19;
  constexpr u32 kClflushQuadwords = 8u << 8;
  CpuidRegisters r = feature_leaf(model, 1);
  r.eax = model.signature;
  if (offers(model, sse2)) {
    r.edx |= kClflushFeature;
    r.ebx |= kClflushQuadwords;
  }
  return r;
}

// Leaves 2, 4 and 80000006 describe the same caches: 32 KiB of code and of data, 8-way; 512 KiB of L2, 8-way;
// lines of 64 bytes. Descriptors (SDM vol. 2A table 3-12): B0 and B3 TLBs, 2C and 30 L1, 80 L2.
constexpr CpuidRegisters kCacheDescriptors{0x00b3b001, 0, 0, 0x0080302c};
constexpr u32 kEightWays64Bytes = 7u << 22 | 63;
constexpr CpuidRegisters kCaches[] = {
    {0x121, kEightWays64Bytes, 63, 0},    // L1 data, self-initialising, 64 sets
    {0x122, kEightWays64Bytes, 63, 0},    // L1 code
    {0x143, kEightWays64Bytes, 1023, 0},  // L2 unified, 1024 sets
};
constexpr CpuidRegisters kL2Extended{0, 0, 512u << 16 | 6u << 12 | 64, 0};
// Of linear addresses 32 bits.
constexpr CpuidRegisters kAddressSizes{32u << 8 | kPhysicalBits, 0, 0, 0};

CpuidRegisters brand_leaf(const Model& model, u32 part) {
  char text[48] = {};
  std::memcpy(text, model.brand.data(), std::min(model.brand.size(), sizeof text - 1));
  CpuidRegisters r;
  std::memcpy(&r, text + part * sizeof r, sizeof r);
  return r;
}

}  // namespace

Result<CpuidTable> CpuidTable::create(std::string_view name, const HostFeatures& host) {
  const Model* known = find_model(name);
  if (known == nullptr)
    return fail(ErrorKind::usage, "-cpu: no CPU model is called '{}'; there are {}", name, model_names());
  const Model model = executable_on(host, *known);
  CpuidTable table;
  auto add = [&table, &model](u32 leaf, u32 subleaf, const CpuidRegisters& registers) {
    const u32 max = leaf >= 0x80000000 ? model.max_extended : model.max_basic;
    if (leaf <= max) table.leaves_.push_back({leaf, subleaf, registers});
  };
  table.highest_extended_ = model.max_extended;
  add(0, 0, {model.max_basic, 0x756e6547, 0x6c65746e, 0x49656e69});  // "Genu", "ntel", "ineI"
  add(1, 0, leaf_1(model));
  add(2, 0, kCacheDescriptors);
  for (u32 i = 0; i < std::size(kCaches); ++i) add(4, i, kCaches[i]);
  add(7, 0, feature_leaf(model, 7));
  add(0x80000000, 0, {model.max_extended, 0, 0, 0});
  add(0x80000001, 0, feature_leaf(model, 0x80000001));
  for (u32 i = 0; i < 3; ++i) add(0x80000002 + i, 0, brand_leaf(model, i));
  add(0x80000006, 0, kL2Extended);
  add(0x80000008, 0, kAddressSizes);
  for (const CpuidFeatureBit& f : kFeatureBits)
    table.has_bit_of_[static_cast<unsigned>(f.feature)] = offers(model, f.feature);
  return table;
}

std::span<const CpuidFeatureBit> cpuid_feature_bits() { return kFeatureBits; }

u32 CpuidTable::signature() const { return query(1, 0).eax; }

}  // namespace ringshift
