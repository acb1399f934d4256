// Children: their outputs and ends; and Summary.
#include "report/child_process.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "base/host_clock.h"
#include "report/summary.h"

namespace ringshift {
namespace {
using Kind = ChildOutcome::Kind;

ChildOutcome shell(const std::string& script, double timeout_s = 20) {
  return run_child({.command = {"sh", "-c", script}, .timeout_s = timeout_s});
}

TEST(ChildProcess, GivesOutputErrorsAndStatus) {
  const ChildOutcome outcome = shell("echo out; echo problem >&2; exit 3");
  EXPECT_EQ(outcome.kind, Kind::exited);
  EXPECT_EQ(outcome.status, 3);
  EXPECT_EQ(outcome.serial, "out\n");
  EXPECT_EQ(outcome.describe(), "status 3: problem");
}

TEST(ChildProcess, StandardInputIsEmpty) { EXPECT_EQ(shell("cat; echo end").serial, "end\n"); }

TEST(ChildProcess, SerialPortOfItsOwn) {
  const ChildOutcome outcome =
      run_child({.command = {"sh", "-c", "echo screen; echo serial >&3"}, .serial_is_fd3 = true});
  EXPECT_EQ(outcome.serial, "serial\n");
}

TEST(ChildProcess, EndsAtTheTimeLimit) {
  const u64 begin = host_clock_ns();
  const ChildOutcome outcome = shell("echo before; exec sleep 30", 0.3);
  EXPECT_EQ(outcome.kind, Kind::timed_out);
  EXPECT_EQ(outcome.serial, "before\n");
  EXPECT_LT(host_clock_ns() - begin, 10'000'000'000u);
}

TEST(ChildProcess, EndsOneThatIgnoresSigterm) {
  EXPECT_EQ(shell("trap '' TERM; while :; do sleep 1; done", 0.3).kind, Kind::timed_out);
}

TEST(ChildProcess, EndsWhenALineSaysSo) {
  std::vector<std::string> lines;
  const ChildOutcome outcome = run_child({.command = {"sh", "-c", "echo one; echo era done; exec sleep 30"},
                                          .timeout_s = 20,
                                          .on_line = [&](std::string_view line, double) {
                                            lines.emplace_back(line);
                                            return line != "era done";
                                          }});
  EXPECT_EQ(outcome.kind, Kind::ended);
  EXPECT_EQ(lines, (std::vector<std::string>{"one", "era done"}));
}

TEST(ChildProcess, KeepsAMebibyteOfAFlood) {
  const ChildOutcome outcome = shell("head -c 5000000 /dev/zero; exit 0");
  EXPECT_EQ(outcome.kind, Kind::exited);
  EXPECT_EQ(outcome.serial.size(), std::size_t{1} << 20);
}

TEST(ChildProcess, TellsSignalsAndMissingPrograms) {
  const ChildOutcome killed = shell("kill -SEGV $$");
  EXPECT_EQ(killed.kind, Kind::signalled);
  EXPECT_EQ(killed.status, SIGSEGV);
  const ChildOutcome missing = run_child({.command = {"/nonexistent/program"}});
  EXPECT_EQ(missing.status, 127);
  EXPECT_EQ(missing.describe(), "status 127: cannot be started");
}

// Not by a shell, which would call it a syntax error.
TEST(ChildProcess, TellsWhatTheKernelDoesNotRun) {
  const std::string path = ::testing::TempDir() + "no-program";
  std::ofstream(path) << "echo run by a shell\n";
  ASSERT_EQ(::chmod(path.c_str(), 0700), 0);
  const ChildOutcome outcome = run_child({.command = {path}});
  EXPECT_EQ(outcome.describe(),
            "status 127: cannot be started: this host runs no such programs (32-bit ones?)");
  ::unlink(path.c_str());
}

TEST(ChildProcess, ErrorsArePrintable) {
  EXPECT_EQ(shell("printf 'a\\033[2Jb' >&2").describe(), "status 0: a?[2Jb");
}

TEST(Summary, MedianOfOddAndEven) {
  EXPECT_DOUBLE_EQ(summarize({3, 1, 2}).median, 2);
  EXPECT_DOUBLE_EQ(summarize({4, 1, 2, 3}).median, 2.5);
  EXPECT_DOUBLE_EQ(summarize({7}).median, 7);
  const Summary summary = summarize({8, 10, 13});
  EXPECT_DOUBLE_EQ(summary.minimum, 8);
  EXPECT_DOUBLE_EQ(summary.maximum, 13);
  EXPECT_DOUBLE_EQ(summary.spread(), 0.5);
  EXPECT_DOUBLE_EQ(summarize({0, 0}).spread(), 0);
}

}  // namespace
}  // namespace ringshift
