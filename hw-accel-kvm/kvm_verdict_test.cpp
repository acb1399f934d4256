// The verdicts, from evidence that is made up, and from this host's.
#include "hw-accel-kvm/kvm_verdict.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>

#include "hw-accel-kvm/probe_guests.h"

namespace ringshift {
namespace {

KvmProbe probe_where(bool paging_works) {
  KvmProbe probe;
  for (const ProbeGuest& guest : probe_guests()) {
    const bool paged = guest.name == kProbePaging || guest.name == kProbePae;
    probe.outcomes.push_back({std::string(guest.name), paging_works || !paged, "made up"});
  }
  return probe;
}

KvmEvidence evidence_of(std::vector<std::string> modules) {
  KvmEvidence evidence;
  evidence.modules = std::move(modules);
  return evidence;
}

TEST(KvmVerdict, PvmIsSoftware) {
  KvmEvidence evidence = evidence_of({"kvm", "kvm_pvm"});
  evidence.svm = true;  // whatever CPUID says
  const KvmVerdict verdict = judge(evidence, probe_where(false), 0);
  EXPECT_EQ(verdict.kind, KvmKind::software);
  EXPECT_FALSE(verdict.usable());
  EXPECT_NE(verdict.why.find("PVM"), std::string::npos);
  EXPECT_NE(verdict.why.find("32-bit paging"), std::string::npos);
}

TEST(KvmVerdict, HypervisorBitTellsNestedFromHardware) {
  KvmEvidence evidence = evidence_of({"kvm", "kvm_amd"});
  evidence.svm = true;
  EXPECT_EQ(judge(evidence, probe_where(true), 0).kind, KvmKind::hardware);
  evidence.hypervisor = true;
  const KvmVerdict nested = judge(evidence, probe_where(true), 0);
  EXPECT_EQ(nested.kind, KvmKind::nested);
  EXPECT_TRUE(nested.usable());
}

TEST(KvmVerdict, BuiltInModulesAreToldByTheCpu) {
  KvmEvidence evidence = evidence_of({});
  EXPECT_EQ(judge(evidence, probe_where(true), 0).kind, KvmKind::software);
  evidence.vmx = true;
  EXPECT_EQ(judge(evidence, probe_where(true), 0).kind, KvmKind::hardware);
}

TEST(KvmVerdict, RealButBrokenIsNotUsable) {
  KvmEvidence evidence = evidence_of({"kvm", "kvm_intel"});
  evidence.vmx = true;
  EXPECT_FALSE(judge(evidence, probe_where(false), 0).usable());
}

TEST(KvmVerdict, WhatStandsInTheWay) {
  const Result<KvmProbe> none = fail(ErrorKind::engine_unavailable, "no");
  EXPECT_EQ(judge({}, none, ENOENT).kind, KvmKind::absent);
  EXPECT_EQ(judge({}, none, EACCES).kind, KvmKind::forbidden);
  EXPECT_EQ(judge({}, none, 0).kind, KvmKind::unfit);
}

TEST(KvmVerdict, ModulesAreThoseOfTheFolder) {
  const auto folder = std::filesystem::temp_directory_path() / "ringshift-modules-test";
  std::filesystem::create_directories(folder / "kvm_pvm");
  std::filesystem::create_directories(folder / "ext4");
  const KvmEvidence evidence = KvmEvidence::of_this_host(folder.c_str());
  std::filesystem::remove_all(folder);
  EXPECT_EQ(evidence.modules, std::vector<std::string>{"kvm_pvm"});
}

// True on every host: what is named in /sys/module, and what a probe shows, decide.
TEST(KvmVerdict, OfThisHost) {
  const KvmVerdict verdict = judge_this_host();
  EXPECT_FALSE(verdict.why.empty());
  if (!verdict.probe) {
    EXPECT_FALSE(verdict.usable());
    return;
  }
  EXPECT_EQ(verdict.probe->outcomes.size(), probe_guests().size());
  EXPECT_GT(verdict.probe->port_exit_ns, 0);
  if (std::filesystem::exists("/sys/module/kvm_pvm")) {
    EXPECT_EQ(verdict.kind, KvmKind::software);
  }
  if (verdict.kind == KvmKind::software) {
    EXPECT_FALSE(verdict.usable());
  }
}

}  // namespace
}  // namespace ringshift
