// Logs of a folder as modes.
#include "report/log_file.h"

#include <gtest/gtest.h>

#include <fstream>

#include "report/iso_image.h"

namespace ringshift {
namespace {

TEST(EmulatedLogs, ThoseWithResultsInOrder) {
  const auto folder = TemporaryFolder::create();
  ASSERT_TRUE(folder);
  const auto write = [&](const char* name, const char* text) {
    std::ofstream(folder->path() + "/" + name) << text;
  };
  write("trap.log", "# note in a machine elsewhere\nera in ns 1 2 3\nera mixed checksum 77\nera done\n");
  write("bt.log", "era in ns 1 1 3\n");
  write("empty.log", "");
  write("a space.log", "era in ns 1 1 3\n");
  write("other.txt", "era in ns 1 1 3\n");
  const std::vector<ModeResult> logs = read_emulated_logs(folder->path());
  ASSERT_EQ(logs.size(), 2u);
  EXPECT_EQ(logs[0].mode.id, "tcg.bt");
  EXPECT_EQ(logs[0].state, ModeState::partial);
  EXPECT_EQ(logs[1].mode.id, "tcg.trap");
  EXPECT_EQ(logs[1].state, ModeState::complete);
  EXPECT_EQ(logs[1].note, "in a machine elsewhere");
  EXPECT_EQ(logs[1].mode.family, Family::import);
  EXPECT_TRUE(logs[1].cell("mixed")->checksum.empty()) << "another number of jobs has another";
}

TEST(EmulatedLogs, NoFolder) { EXPECT_TRUE(read_emulated_logs("/nonexistent").empty()); }

TEST(LogFile, AFolderIsNone) { EXPECT_FALSE(read_log("/")); }

}  // namespace
}  // namespace ringshift
