// Guests' lines: the formats, and what a hostile guest might print.
#include "report/guest_log.h"

#include <gtest/gtest.h>

namespace ringshift {
namespace {

TEST(GuestLog, ReadsEraBench) {
  const GuestLog log = parse_guest_log(
      "# era-bench, interface native\r\n# tsc-khz 2000123\r\n"
      "era loop cycles 1.00 1.25 21\r\nera loop ns 0.50 0.62 21\r\n"
      "era hypercall skip the native interface has none\r\n"
      "era forkwait total 12.50 200\r\nera forkwait ns 7000.00 7100.00 200\r\n"
      "era compute-x87 checksum b0146b7a\r\nera compute-x87 ns 10.00 11.00 5\r\n"
      "era smc failed the old instruction ran\r\nera done\r\n");
  EXPECT_TRUE(log.done);
  EXPECT_EQ(log.malformed, 0u);
  EXPECT_EQ(log.tsc_khz, 2000123u);
  ASSERT_EQ(log.rows.size(), 5u);
  EXPECT_EQ(log.rows[0].name, "loop");
  EXPECT_DOUBLE_EQ(*log.rows[0].median_ns, 0.62);
  EXPECT_DOUBLE_EQ(*log.rows[0].minimum_ns, 0.50);
  EXPECT_DOUBLE_EQ(*log.rows[0].median_cycles, 1.25);
  EXPECT_EQ(log.find("hypercall")->skipped, "the native interface has none");
  EXPECT_EQ(log.find("compute-x87")->checksum, "b0146b7a");
  EXPECT_EQ(log.find("smc")->failed, "the old instruction ran");
  EXPECT_EQ(log.find("nothing"), nullptr);
}

TEST(GuestLog, ReadsTheSuite) {
  const GuestLog log =
      parse_guest_log("row sieve   integer  1234.5 0badf00d\nrow pipe process failed: no pipe\n");
  ASSERT_EQ(log.rows.size(), 2u);
  EXPECT_DOUBLE_EQ(*log.find("sieve")->median_ns, 1234.5);
  EXPECT_EQ(log.find("sieve")->checksum, "0badf00d");
  EXPECT_EQ(log.find("pipe")->failed, "no pipe");
}

TEST(GuestLog, KeepsWhyTheKernelGaveUp) {
  const GuestLog log = parse_guest_log("era kernel failed 32 MiB of RAM are needed\n");
  EXPECT_EQ(log.failure, "32 MiB of RAM are needed");
  EXPECT_FALSE(log.done);
  EXPECT_TRUE(log.rows.empty());
}

// Each line is dropped and counted; none makes a figure.
TEST(GuestLog, RefusesWhatIsNoResult) {
  for (const char* line :
       {"era <script> ns 1 1 1", "era loop ns nan nan 5", "era loop ns inf inf 5", "era loop ns -1 5 5",
        "era loop ns 1e9 1e9 5", "era loop ns 5 4 1", "era loop ns 1 1", "era loop ns 1 1 1 1", "era loop",
        "era loop ns 99999999999999999999 99999999999999999999 1", "era loop ns 1.2.3 4 1",
        "era \"x ns 1 1 1", "era loop checksum xyz", "era loop checksum 00112233445566778",
        "era loop whatever 1", "era aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeee ns 1 1 1", "row a b c d",
        "row <b> b 1 0"}) {
    const GuestLog log = parse_guest_log(line);
    EXPECT_EQ(log.malformed, 1u) << line;
    for (const LogRow& row : log.rows) EXPECT_FALSE(row.median_ns || row.median_cycles) << line;
  }
}

TEST(GuestLog, WhatWasToldFirstStays) {
  const GuestLog log =
      parse_guest_log("era a ns 1 2 3\nera a ns 7 8 9\nera a checksum 1\nera a checksum 2\n");
  EXPECT_DOUBLE_EQ(*log.find("a")->median_ns, 2);
  EXPECT_EQ(log.find("a")->checksum, "1");
  EXPECT_EQ(log.malformed, 2u);
}

TEST(GuestLog, BoundsRowsAndTexts) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "era r" + std::to_string(i) + " ns 1 1 1\n";
  text += "era r0 failed " + std::string(100'000, 'x') + "\x1b[2J\n";
  const GuestLog log = parse_guest_log(text);
  EXPECT_EQ(log.rows.size(), 256u);
  EXPECT_LE(log.rows[0].failed.size(), 160u);
}

TEST(GuestLog, TextsArePrintable) {
  const GuestLog log = parse_guest_log(std::string("era a skip \x1b[31m\0\xff red", 20));
  EXPECT_EQ(log.find("a")->skipped, "?[31m?? r");
}

TEST(GuestLog, TheFirstNoteIsKept) {
  EXPECT_EQ(parse_guest_log("# note made by \x1b someone\n# note else\n# notes\n").note, "made by ? someone");
  EXPECT_EQ(parse_guest_log("# note " + std::string(1000, 'x')).note.size(), 240u);
  EXPECT_TRUE(parse_guest_log("# note\n").note.empty());
}

TEST(GuestLog, EmptyAndCutOff) {
  EXPECT_TRUE(parse_guest_log("").rows.empty());
  EXPECT_TRUE(parse_guest_log("\n\n\r\n").rows.empty());
  EXPECT_EQ(parse_guest_log("era loop ns 1.0 1.0").malformed, 1u);
}

}  // namespace
}  // namespace ringshift
