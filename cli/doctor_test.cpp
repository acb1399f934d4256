// `ringshift doctor` as a user runs it, and a diagnosis of hosts that are made up.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/doctor/diagnosis.h"
#include "hw-accel-kvm/probe_guests.h"
#include "machine/test_guest.h"

namespace ringshift {
namespace {

std::string output_of(const std::string& command) {
  std::FILE* pipe = ::popen(command.c_str(), "r");
  std::string text;
  std::array<char, 4096> part;
  while (const std::size_t got = std::fread(part.data(), 1, part.size(), pipe)) text.append(part.data(), got);
  EXPECT_EQ(::pclose(pipe), 0) << command;
  return text;
}

const nlohmann::json* engine_in(const nlohmann::json& report, const std::string& name) {
  for (const auto& engine : report["engines"])
    if (engine["name"] == name) return &engine;
  return nullptr;
}

// What is true on any host.
TEST(Doctor, JsonOfThisHost) {
  const auto report = nlohmann::json::parse(output_of(RINGSHIFT_PROGRAM " doctor --json"));
  for (const char* name : {"interp", "bt", "kvm", "trap"}) {
    const auto* engine = engine_in(report, name);
    ASSERT_NE(engine, nullptr) << name;
    EXPECT_TRUE((*engine)["works"].is_boolean());
    EXPECT_FALSE((*engine)["why"].get<std::string>().empty());
  }
  EXPECT_EQ((*engine_in(report, "interp"))["works"], true);  // these tests run on it
  const auto& kvm = report["kvm"];
  const std::string verdict = kvm["verdict"];
  EXPECT_EQ(report["auto"], kvm["usable"] == true ? "kvm" : "bt");
  if (!std::filesystem::exists("/dev/kvm")) {
    EXPECT_EQ(verdict, "absent");
  }
  if (kvm["probe"].empty()) {
    EXPECT_TRUE(kvm["exit_us"].is_null());
    EXPECT_FALSE(report["advice"].empty());
  } else {
    EXPECT_EQ(kvm["probe"].size(), probe_guests().size());
    EXPECT_GT(kvm["exit_us"]["port"].get<double>(), 0);
    if (std::filesystem::exists("/sys/module/kvm_pvm")) {
      EXPECT_EQ(verdict, "software");
    }
  }
  const auto& trap = report["trap"];
  ASSERT_FALSE(trap["probe"].empty());
  EXPECT_EQ((*engine_in(report, "trap"))["works"], trap["probe"].back()["works"]);
  EXPECT_EQ(trap["trap_us"].is_null(), trap["probe"].back()["works"] == false);
  EXPECT_GT(report["host"]["tsc"]["khz"].get<u64>(), 0u);
  EXPECT_EQ(report["host"]["memfd"]["works"], true);
}

TEST(Doctor, TextNamesTheSame) {
  const std::string text = output_of(RINGSHIFT_PROGRAM " doctor");
  const auto report = nlohmann::json::parse(output_of(RINGSHIFT_PROGRAM " doctor --json"));
  EXPECT_NE(text.find("KVM: " + report["kvm"]["verdict"].get<std::string>()), std::string::npos) << text;
}

KvmVerdict verdict_of(KvmKind kind, bool all_work) {
  KvmProbe probe;
  for (const ProbeGuest& guest : probe_guests())
    probe.outcomes.push_back({std::string(guest.name), all_work || guest.name == kProbeRealMode, "made up"});
  return {kind, "made up", {}, probe};
}

bool works(const Diagnosis& diagnosis, const std::string& name) {
  for (const EngineHealth& engine : diagnosis.engines)
    if (engine.name == name) return engine.works;
  ADD_FAILURE() << name;
  return false;
}

HostFacts good_host() {
  HostFacts host;
  host.memfd = host.memfd_executable = host.invariant_tsc = true;
  host.max_map_count = 65530;
  return host;
}

TrapProbe good_trap() {
  TrapProbe probe;
  for (const auto name : {kTrapProcess, kTrapFilter, kTrapSegments, kTrapGuest})
    probe.checks.push_back({std::string(name), true, {}});
  probe.lowest_mapping = 0x10000;
  probe.trap_ns = 22'000;
  return probe;
}

TEST(Doctor, HardwareIsTaken) {
  const Diagnosis diagnosis = diagnose(good_host(), verdict_of(KvmKind::hardware, true), good_trap());
  EXPECT_TRUE(works(diagnosis, "kvm"));
  EXPECT_EQ(diagnosis.automatic, "kvm");
  EXPECT_TRUE(diagnosis.advice.empty());
}

TEST(Doctor, SoftwareWithoutPagingIsNot) {
  const Diagnosis diagnosis = diagnose(good_host(), verdict_of(KvmKind::software, false), good_trap());
  EXPECT_FALSE(works(diagnosis, "kvm"));
  EXPECT_TRUE(works(diagnosis, "bt"));
  EXPECT_EQ(diagnosis.automatic, "bt");
  EXPECT_NE(diagnosis_text(diagnosis).find(kProbePaging), std::string::npos);
}

TEST(Doctor, ForbiddenSaysWhatToDo) {
  const Diagnosis diagnosis =
      diagnose(good_host(), {KvmKind::forbidden, "no permission", {}, std::nullopt}, good_trap());
  ASSERT_FALSE(diagnosis.advice.empty());
  EXPECT_NE(diagnosis.advice[0].find("usermod"), std::string::npos);
}

TEST(Doctor, NoExecutableMemoryMeansNoBt) {
  HostFacts host = good_host();
  host.memfd_executable = false;
  host.max_map_count = 1000;
  const Diagnosis diagnosis = diagnose(host, verdict_of(KvmKind::hardware, true), good_trap());
  EXPECT_FALSE(works(diagnosis, "bt"));
  EXPECT_EQ(diagnosis.advice.size(), 2u);
}

TEST(Doctor, TrapSaysWhatItCosts) {
  const Diagnosis diagnosis = diagnose(good_host(), verdict_of(KvmKind::hardware, true), good_trap());
  EXPECT_TRUE(works(diagnosis, "trap"));
  const std::string text = diagnosis_text(diagnosis);
  EXPECT_NE(text.find("a trap costs 22.0 us"), std::string::npos) << text;
  EXPECT_NE(text.find("below 0x10000"), std::string::npos) << text;
  const auto json = nlohmann::json::parse(diagnosis_json(diagnosis));
  EXPECT_EQ(json["trap"]["trap_us"], 22.0);
  EXPECT_EQ(json["trap"]["lowest_address"], 0x10000);
}

TEST(Doctor, NoSegmentsMeanNoTrap) {
  TrapProbe probe = good_trap();
  probe.checks.pop_back();
  probe.checks.back() = {std::string(kTrapSegments), false, "made up"};
  const Diagnosis diagnosis = diagnose(good_host(), verdict_of(KvmKind::hardware, true), probe);
  EXPECT_FALSE(works(diagnosis, "trap"));
  EXPECT_NE(diagnosis_text(diagnosis).find(std::string(kTrapSegments) + ": made up"), std::string::npos);
  EXPECT_TRUE(nlohmann::json::parse(diagnosis_json(diagnosis))["trap"]["trap_us"].is_null());
  ASSERT_EQ(diagnosis.advice.size(), 1u);
  EXPECT_NE(diagnosis.advice[0].find("modify_ldt"), std::string::npos);
}

// Whatever the doctor says of trap holds: a guest runs under it, or the program ends as unavailable.
TEST(Doctor, IsRightAboutTrap) {
  const testing::TemporaryDirectory directory;
  const std::string guest =
      directory.write("kernel", testing::multiboot_kernel(testing::then_exit(testing::print_code("x"), 3)));
  const int status =
      std::system((RINGSHIFT_PROGRAM " run -engine trap -serial null -device "
                                     "isa-debug-exit,iobase=0xf4,iosize=4 -timeout 60 -kernel " +
                   guest + " 2>/dev/null")
                      .c_str());
  const bool works = probe_trap().failing() == nullptr;
  EXPECT_EQ(WEXITSTATUS(status), works ? 7 : 6);
  const auto report = nlohmann::json::parse(output_of(RINGSHIFT_PROGRAM " doctor --json"));
  EXPECT_EQ((*engine_in(report, "trap"))["works"], works);
}

}  // namespace
}  // namespace ringshift
