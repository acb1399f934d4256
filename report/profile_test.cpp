// Exits from -stats, their costs, and where the time goes; and the modes' command lines.
#include "report/profile.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace ringshift {
namespace {
using Json = nlohmann::ordered_json;

TEST(Profile, FindsExitsWhereverTheyAreTold) {
  const Json stats =
      Json::parse(R"({"exits": {"port access": 5, "event": 0}, "kvm": {"entries": 9, "exits: mmio": 7},
                                     "time": {"wall_s": 1.5}, "odd": 3})");
  EXPECT_EQ(exits_in(stats), (ExitCounts{{"port access", 5}, {"mmio", 7}}));
}

TEST(Profile, PartsStandForTheWhole) {
  const Json stats =
      Json::parse(R"({"exits": {"lookup miss": 10, "lookup miss: filled": 6, "lookup miss: fault": 1}})");
  EXPECT_EQ(exits_in(stats),
            (ExitCounts{{"lookup miss: filled", 6}, {"lookup miss: fault", 1}, {"lookup miss: other", 3}}));
}

TEST(Profile, StatisticsThatAreNone) {
  EXPECT_TRUE(exits_in(nullptr).empty());
  EXPECT_TRUE(exits_in(Json::array({1, 2})).empty());
  EXPECT_TRUE(exits_in(Json{{"exits", {{"a", -1}, {"b", "x"}, {"c", 1.5}}}}).empty());
}

ExitCost cost_of(const Profile& profile, const std::string& reason) {
  for (const ExitCost& exit : profile.exits)
    if (exit.reason == reason) return exit;
  return {};
}

// 10,000 port accesses in 1 ms of the row's own: 100 ns each, less what a run without rows has.
TEST(Profile, CostsFromTheRowThatIsAboutThem) {
  Profile profile;
  profile.exits = {{.reason = "port", .count = 20000}, {.reason = "fault", .count = 50}};
  const RowProfile none{.row = "none", .exits = {{"port", 500}}, .vcpu_s = 0.010};
  const RowProfile in{.row = "in", .exits = {{"port", 10500}, {"fault", 10}}, .vcpu_s = 0.011, .ns = 50};
  const RowProfile mixed{
      .row = "mixed", .exits = {{"port", 5500}, {"fault", 4000}}, .vcpu_s = 0.020, .ns = 1000};
  cost_exits(profile, none, {mixed, in});
  const ExitCost port = cost_of(profile, "port");
  ASSERT_TRUE(port.most_ns);
  EXPECT_NEAR(*port.most_ns, 100, 1e-6);
  EXPECT_EQ(port.measured_in, "in");
  EXPECT_FALSE(cost_of(profile, "fault").most_ns);
  EXPECT_NEAR(profile.rows["in"]["port"], 0.5, 1e-6);
  EXPECT_EQ(profile.rows["in"].count("fault"), 0u);
  EXPECT_EQ(profile.exits.front().reason, "port");
}

TEST(Profile, PartsOfTheTimeAddUp) {
  Profile profile;
  profile.vcpu_s = 1;
  profile.translation_s = 0.25;
  profile.exits = {{.reason = "a", .count = 1'000'000, .most_ns = 500},
                   {.reason = "b", .count = 7, .most_ns = {}}};
  const auto parts = time_parts(profile);
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_NEAR(parts[1].seconds, 0.5, 1e-9);
  EXPECT_NEAR(parts[2].seconds, 0.25, 1e-9);
  profile.exits[0].most_ns = 5000;  // a bound that is too high
  double sum = 0;
  for (const TimePart& part : time_parts(profile)) sum += part.seconds;
  EXPECT_NEAR(sum, 1, 1e-9);
}

TEST(Modes, CommandsNameTheEngineAndTheGuest) {
  const Workload workload{.kernel = "/k", .append = "ms=1", .end_text = "era done"};
  const auto modes = make_modes({.ringshift = "/r", .qemu = "", .bochs = ""}, workload);
  for (const Mode& mode : modes) {
    const auto has = [&](const char* word) {
      return std::find(mode.command.begin(), mode.command.end(), word) != mode.command.end();
    };
    if (mode.id == "bt") {
      EXPECT_TRUE(has("bt") && has("/k") && has("ms=1") && mode.missing.empty());
    }
    if (mode.id == "trap+xen-pv") {
      EXPECT_TRUE(has("trap") && has("xen-pv") && !mode.missing.empty());
    }
    if (mode.id == "qemu-tcg") {
      EXPECT_NE(mode.missing.find("not installed"), std::string::npos);
    }
    if (mode.id == "native") {
      EXPECT_FALSE(mode.missing.empty());
    }
  }
  EXPECT_EQ(modes.size(), 10u);
}

}  // namespace
}  // namespace ringshift
