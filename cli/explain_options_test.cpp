// The command line of `ringshift explain`.
#include <gtest/gtest.h>

#include "cli/options.h"

namespace ringshift {
namespace {

Result<ExplainCommand> explain(std::vector<std::string> args) {
  args.insert(args.begin(), {"explain", "-kernel", "k"});
  const Command command = RS_TRY(parse_command_line(args));
  return std::get<ExplainCommand>(command);
}

TEST(ExplainOptions, UsualOnes) {
  const auto usual = explain({});
  ASSERT_TRUE(usual) << usual.error().message;
  EXPECT_EQ(usual->top, 10u);
  EXPECT_EQ(usual->run.machine.engines, std::vector{EngineKind::bt});
  EXPECT_EQ(usual->run.serial.kind, CharTarget::Kind::null);
  EXPECT_FALSE(usual->address);
  EXPECT_FALSE(usual->run.timeout_seconds);
  EXPECT_FALSE(usual->run.machine.count_instructions);
}

TEST(ExplainOptions, AllOfThem) {
  const auto all =
      explain({"-append",   "it's a=b",   "--function", "isPrime",  "-top",      "3",     "--for",
               "500ms",     "--html",     "h",          "--json=j", "--history", "l",     "--cold",
               "--symbols", "System.map", "-bt-memory", "soft",     "-serial",   "file:s"});
  ASSERT_TRUE(all) << all.error().message;
  EXPECT_EQ(all->function, "isPrime");
  EXPECT_EQ(all->top, 3u);
  EXPECT_EQ(all->run.timeout_seconds, 0.5);
  EXPECT_EQ(all->html_file, "h");
  EXPECT_EQ(all->json_file, "j");
  EXPECT_EQ(all->history_file, "l");
  EXPECT_EQ(all->symbols, "System.map");
  EXPECT_TRUE(all->cold);
  EXPECT_EQ(all->run.machine.bt_memory, BtMemory::soft);
  EXPECT_EQ(all->run.serial.path, "s");
  EXPECT_TRUE(all->words.starts_with("ringshift explain -kernel k -append 'it'\\''s a=b' ")) << all->words;
}

TEST(ExplainOptions, EmptyValuesAreMistakes) {
  for (const char* const option :
       {"--function", "--address", "--for", "--symbols", "--html", "--json", "--history"})
    EXPECT_FALSE(explain({option, ""})) << option;
  EXPECT_EQ(explain({"--top", "-1"}).error().message.find("instructions"), std::string::npos);
}

TEST(ExplainOptions, Addresses) {
  const auto range = parse_address_range("c0100000-C0100040");
  ASSERT_TRUE(range);
  EXPECT_EQ(range->low, 0xc0100000u);
  EXPECT_EQ(range->high, 0xc0100040u);
  EXPECT_EQ(parse_address_range("0x1000+20")->high, 0x1020u);
  EXPECT_EQ(parse_address_range("fffff000-100000000")->high, u64{1} << 32);
  for (const char* wrong :
       {"", "1000", "-", "10-10", "20-10", "x-y", "10+0", "ffffffff+2", "100000000+1", "1-2-3"})
    EXPECT_FALSE(parse_address_range(wrong)) << wrong;
}

TEST(ExplainOptions, Durations) {
  EXPECT_EQ(parse_duration("2s", "--for"), 2.0);
  EXPECT_EQ(parse_duration("0.25", "--for"), 0.25);
  for (const char* wrong : {"", "s", "0s", "-1s", "2m", "1e99s", "nan", "inf", "2 s"})
    EXPECT_FALSE(parse_duration(wrong, "--for")) << wrong;
}

TEST(ExplainOptions, WhatDoesNotGo) {
  for (const std::vector<std::string>& wrong :
       std::vector<std::vector<std::string>>{{"-engine", "interp"},
                                             {"-engine", "bt,interp"},
                                             {"-engine", "auto"},
                                             {"-d", "in_asm"},
                                             {"-stats"},
                                             {"-timeout", "3"},
                                             {"-serial", "stdio"},
                                             {"-debugcon", "stdio"},
                                             {"-top", "0"},
                                             {"-address", "1"},
                                             {"-function", "f", "-address", "1-2"},
                                             {"-for", "never"}})
    EXPECT_FALSE(explain(wrong)) << wrong[0];
  EXPECT_FALSE(parse_command_line({"run", "-kernel", "k", "-top", "3"}));
}

}  // namespace
}  // namespace ringshift
