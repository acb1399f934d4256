// What a run adds, and when a mode is complete, partial or unavailable.
#include "report/run_result.h"

#include <gtest/gtest.h>

#include "report/renderings.h"

namespace ringshift {
namespace {
using Kind = ChildOutcome::Kind;

RunRecord record(const char* log, Kind kind = Kind::exited, int status = 1) {
  RunRecord run;
  run.outcome.kind = kind;
  run.outcome.status = status;
  run.outcome.errors = "ringshift: no such thing\n";
  run.log = parse_guest_log(log);
  return run;
}

const Workload kEra{.kernel = "era-bench.elf", .end_text = "era done"};

TEST(RunResult, RunsAddUp) {
  ModeResult result;
  add_run(result, record("era b ns 2 3 1\nera a ns 1 2 1\nera done\n"), kEra);
  add_run(result, record("era b ns 1 5 1\nera a ns 1 2 1\nera done\n"), kEra);
  EXPECT_EQ(result.state, ModeState::complete);
  EXPECT_EQ(result.runs, 2u);
  EXPECT_EQ(result.cells["b"].ns, (std::vector<double>{3, 5}));
  EXPECT_DOUBLE_EQ(result.cells["b"].least_ns, 1);
  EXPECT_EQ(result.order, (std::vector<std::string>{"b", "a"}));
}

TEST(RunResult, NothingMeasuredIsUnavailable) {
  ModeResult result;
  add_run(result, record("", Kind::exited, 2), kEra);
  EXPECT_EQ(result.state, ModeState::unavailable);
  EXPECT_EQ(result.reason, "status 2: ringshift: no such thing");
}

TEST(RunResult, SomethingMeasuredIsPartial) {
  ModeResult result;
  add_run(result, record("era a ns 1 2 1\nera kernel failed a trap\n", Kind::exited, 3), kEra);
  EXPECT_EQ(result.state, ModeState::partial);
  EXPECT_EQ(result.reason, "the guest: a trap");
}

TEST(RunResult, AnEndWithoutItsLastLineIsNone) {
  ModeResult result;
  add_run(result, record("era a ns 1 2 1\n"), kEra);
  EXPECT_EQ(result.state, ModeState::partial);
  EXPECT_EQ(result.runs, 0u);
}

TEST(RunResult, FailedRowsAreTold) {
  ModeResult result;
  add_run(result, record("era a failed why\nera b ns 1 1 1\nera done\n", Kind::exited, 3), kEra);
  EXPECT_EQ(result.reason, "a: why");
}

TEST(RunResult, MarksAreRows) {
  Workload linux_boot{.marks = {{"init", "Run /init"}}, .end_text = "Run /init", .ends_with_status = false};
  ModeResult result;
  RunRecord run = record("", Kind::ended, 0);
  run.marks = {{"init", 1.5}};
  add_run(result, run, linux_boot);
  EXPECT_EQ(result.state, ModeState::complete);
  EXPECT_DOUBLE_EQ(result.cells["init"].ns[0], 1.5e9);
  add_run(result, record("", Kind::ended, 0), linux_boot);
  EXPECT_EQ(result.state, ModeState::partial);
}

TEST(RunResult, ScalesTimesOfAClockThatIsNone) {
  ModeResult result;
  RunRecord run = record("era a ns 10 20 1\nera done\n", Kind::ended, 0);
  run.time_scale = 2;
  add_run(result, run, kEra);
  EXPECT_DOUBLE_EQ(result.cells["a"].ns[0], 40);
}

TEST(RunResult, ImportsSayWhatTheyLack) {
  EXPECT_EQ(import_log("a", "f", "").state, ModeState::unavailable);
  EXPECT_EQ(import_log("a", "f", "era x ns 1 1 1\n").state, ModeState::partial);
  EXPECT_EQ(import_log("a", "f", "era x ns 1 1 1\nera done\n").state, ModeState::complete);
}

Comparison hostile_comparison() {
  Comparison comparison;
  comparison.workload = kEra;
  comparison.workload.append = "</script><script>alert(1)</script>";
  comparison.modes = {
      import_log("a", "</pre><b>", "era x failed </td><script>alert(2)</script>\nera y ns 1 2 3\n")};
  comparison.rows = {"x", "y"};
  return comparison;
}

TEST(Renderings, HostileTextsStayTexts) {
  const std::string page = comparison_html(hostile_comparison(), "abc");
  EXPECT_EQ(page.find("alert(1)</script>"), std::string::npos);
  EXPECT_EQ(page.find("<script>alert"), std::string::npos);
  EXPECT_EQ(page.find("<b>"), std::string::npos);
  EXPECT_EQ(page.find("{{"), std::string::npos);
}

TEST(Renderings, TheRigIsCounted) {
  Comparison comparison;
  comparison.doctor = {{"kvm", {{"verdict", "software"}, {"why", "no VT-x"}}}};
  EXPECT_NE(comparison_html(comparison, "n").find("has not run"), std::string::npos);
  comparison.rig = "PASS a: 1\n  PASS <b>\nFAIL c: 2\nPASS d";
  EXPECT_NE(comparison_html(comparison, "n").find("2 guests and boots passed and 1 failed"),
            std::string::npos);
}

TEST(Renderings, ModesThatDisagreeAreTold) {
  Comparison comparison;
  comparison.rows = {"x"};
  comparison.modes = {import_log("a", "f", "era x checksum 1\nera x ns 1 1 1\n"),
                      import_log("b", "f", "era x checksum 2\nera x ns 1 1 1\n")};
  EXPECT_EQ(comparison.wrong_checksums(), std::vector<std::string>{"x"});
  EXPECT_NE(comparison_text(comparison, 100).find("don't agree"), std::string::npos);
  EXPECT_NE(comparison_html(comparison, "n").find("agree on its checksum"), std::string::npos);
}

}  // namespace
}  // namespace ringshift
