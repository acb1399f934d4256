// The CPU models' CPUID answers.
#include "cpu-model/cpuid.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

namespace ringshift {
namespace {

CpuidTable model(const char* name, const HostFeatures& host = HostFeatures::all()) {
  return CpuidTable::create(name, host).value();
}

TEST(Cpuid, N270HasExactlyWhatIsPromised) {
  const CpuidTable t = model("n270");
  EXPECT_EQ(t.signature(), 0x106c2u);
  const CpuidRegisters one = t.query(1, 0);
  // fpu vme de pse tsc msr pae cx8 apic sep mtrr pge cmov pat clfsh mmx fxsr sse sse2
  EXPECT_EQ(one.edx, 0x0789bb7fu) << std::hex << one.edx;
  // sse3 ssse3 sse4.1 sse4.2 popcnt aes
  EXPECT_EQ(one.ecx, 0x02980201u) << std::hex << one.ecx;
  EXPECT_EQ((one.ebx >> 8 & 0xff) * 8, 64u);
  EXPECT_EQ(t.query(7, 0), (CpuidRegisters{0, 1u << 6 | 1u << 13, 0, 0}));
  EXPECT_EQ(t.query(0x80000001, 0).edx, 1u << 20 | 1u << 27);
}

TEST(Cpuid, VendorAndMaxima) {
  const CpuidRegisters zero = model("n270").query(0, 0);
  char vendor[13] = {};
  std::memcpy(vendor, &zero.ebx, 4);
  std::memcpy(vendor + 4, &zero.edx, 4);
  std::memcpy(vendor + 8, &zero.ecx, 4);
  EXPECT_STREQ(vendor, "GenuineIntel");
  EXPECT_EQ(zero.eax, 7u);
  EXPECT_EQ(model("n270").query(0x80000000, 0).eax, 0x80000008u);
  EXPECT_EQ(model("n270").query(0x80000008, 0).eax, 0x2024u);
}

TEST(Cpuid, BrandNamesRingshift) {
  const CpuidTable t = model("n270");
  std::string brand;
  for (u32 leaf = 0x80000002; leaf <= 0x80000004; ++leaf) {
    const CpuidRegisters r = t.query(leaf, 0);
    brand.append(reinterpret_cast<const char*>(&r), sizeof r);
  }
  EXPECT_NE(brand.find("Ringshift"), std::string::npos);
  EXPECT_EQ(brand.back(), '\0');
}

TEST(Cpuid, OutOfRangeAnswersAsTheHighestBasicLeaf) {
  const CpuidTable t = model("n270");
  for (u32 leaf : {8u, 0x40000000u, 0x7fffffffu, 0x80000009u, 0xffffffffu})
    EXPECT_EQ(t.query(leaf, 0), t.query(7, 0)) << leaf;
  EXPECT_EQ(t.query(7, 1), CpuidRegisters{});
  EXPECT_EQ(t.query(3, 0), CpuidRegisters{}) << "in range, but nothing there";
  EXPECT_EQ(t.query(1, 99), t.query(1, 0)) << "ECX counts only where there are subleaves";
}

TEST(Cpuid, CacheLeavesAgree) {
  const CpuidTable t = model("n270");
  auto bytes = [](const CpuidRegisters& r) {
    return u64{(r.ebx >> 22) + 1} * ((r.ebx >> 12 & 0x3ff) + 1) * ((r.ebx & 0xfff) + 1) * (r.ecx + 1);
  };
  EXPECT_EQ(bytes(t.query(4, 0)), 32u << 10);
  EXPECT_EQ(bytes(t.query(4, 1)), 32u << 10);
  EXPECT_EQ(bytes(t.query(4, 2)), u64{t.query(0x80000006, 0).ecx >> 16} << 10);
  EXPECT_EQ(t.query(4, 3), CpuidRegisters{}) << "type 0 ends the list";
  EXPECT_EQ(t.query(2, 0).eax & 0xff, 1u);
}

TEST(Cpuid, FeaturesFollowTheBits) {
  const CpuidTable p3 = model("pentium3");
  EXPECT_TRUE(p3.has(CpuFeature::sse));
  EXPECT_FALSE(p3.has(CpuFeature::sse2));
  EXPECT_FALSE(p3.has(CpuFeature::nx));
  EXPECT_FALSE(p3.has(CpuFeature::no_fcs_fds));
  EXPECT_EQ(p3.query(1, 0).edx & (1u << 26 | 1u << 19), 0u);
  EXPECT_EQ(p3.query(0x80000001, 0), CpuidRegisters{});
  const CpuidTable core2 = model("core2");
  EXPECT_TRUE(core2.has(CpuFeature::sse41));
  EXPECT_FALSE(core2.has(CpuFeature::sse42));
  EXPECT_FALSE(core2.has(CpuFeature::aes));
}

TEST(Cpuid, PromisesNothingThatTheHostCannotExecute) {
  const HostFeatures host =
      HostFeatures::all().without(CpuFeature::aes).without(CpuFeature::sse42).without(CpuFeature::popcnt);
  const CpuidTable t = model("n270", host);
  EXPECT_EQ(t.query(1, 0).ecx, 0x00080201u) << "sse3 ssse3 sse4.1 are left";
  EXPECT_EQ(t.query(1, 0).edx, model("n270").query(1, 0).edx);
  for (const CpuFeature gone : {CpuFeature::aes, CpuFeature::sse42, CpuFeature::popcnt})
    EXPECT_FALSE(t.has(gone));
  EXPECT_TRUE(t.has(CpuFeature::sse41));
  EXPECT_FALSE(model("core2").has(CpuFeature::aes)) << "a host's feature adds nothing to a model";
}

TEST(Cpuid, ThisHostIsAskedByDefault) {
  const CpuidTable t = CpuidTable::create("n270").value();
  EXPECT_EQ(t.has(CpuFeature::sse3), __builtin_cpu_supports("sse3") != 0);
  EXPECT_EQ(t.has(CpuFeature::ssse3), __builtin_cpu_supports("ssse3") != 0);
  EXPECT_EQ(t.has(CpuFeature::sse41), __builtin_cpu_supports("sse4.1") != 0);
  EXPECT_EQ(t.has(CpuFeature::sse42), __builtin_cpu_supports("sse4.2") != 0);
  EXPECT_EQ(t.has(CpuFeature::popcnt), __builtin_cpu_supports("popcnt") != 0);
  EXPECT_EQ(t.has(CpuFeature::aes), __builtin_cpu_supports("aes") != 0);
}

TEST(Cpuid, UnknownModelListsTheKnown) {
  const auto table = CpuidTable::create("486");
  ASSERT_FALSE(table.has_value());
  EXPECT_EQ(table.error().kind, ErrorKind::usage);
  for (const char* name : {"486", "n270", "core2", "pentium3"})
    EXPECT_NE(table.error().message.find(name), std::string::npos) << name;
}

}  // namespace
}  // namespace ringshift
