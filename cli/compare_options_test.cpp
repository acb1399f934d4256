// The command line of `ringshift compare`.
#include "cli/compare_options.h"

#include <gtest/gtest.h>

namespace ringshift {
namespace {

CompareOptions parsed(const std::vector<std::string>& args) {
  auto result = parse_compare(args);
  if (!result) {
    ADD_FAILURE() << result.error().message;
    return {};
  }
  return std::get<CompareOptions>(*result);
}

std::string refusal(const std::vector<std::string>& args) {
  const auto result = parse_compare(args);
  if (!result) return result.error().message;
  ADD_FAILURE() << "was accepted";
  return {};
}

TEST(CompareOptions, AGuestOfOnesOwn) {
  const CompareOptions options =
      parsed({"-kernel", "linux", "--initrd=i", "-m", "256", "--append", "console=ttyS0 -x", "--mark",
              "init=Run /init", "--mark", "version=Linux version", "--until", "Run /init", "--runs", "5",
              "--modes", "bt,qemu-tcg"});
  EXPECT_EQ(options.workload.kernel, "linux");
  EXPECT_EQ(options.workload.initrd, "i");
  EXPECT_EQ(options.workload.memory_mib, 256u);
  EXPECT_EQ(options.workload.append, "console=ttyS0 -x");
  ASSERT_EQ(options.workload.marks.size(), 2u);
  EXPECT_EQ(options.workload.marks[0].name, "init");
  EXPECT_EQ(options.workload.marks[1].text, "Linux version");
  EXPECT_FALSE(options.workload.ends_with_status);
  EXPECT_EQ(options.runs, 5u);
  EXPECT_EQ(options.modes, (std::vector<std::string>{"bt", "qemu-tcg"}));
}

TEST(CompareOptions, ImportsAndFiles) {
  const CompareOptions options =
      parsed({"--kernel", "k", "--import", "thinkpad=a=b.log", "-import", "vm=c.log", "--html", "h", "--json",
              "j", "--csv", "c", "--no-profiles"});
  ASSERT_EQ(options.imports.size(), 2u);
  EXPECT_EQ(options.imports[0].file, "a=b.log");
  EXPECT_EQ(options.imports[1].name, "vm");
  EXPECT_EQ(options.html_file + options.json_file + options.csv_file, "hjc");
  EXPECT_FALSE(options.profiles);
}

TEST(CompareOptions, MemoryAsInRun) {
  EXPECT_EQ(parsed({"-kernel", "k", "-m", "1G"}).workload.memory_mib, 1024u);
  EXPECT_EQ(parsed({"-kernel", "k", "--memory", "96M"}).workload.memory_mib, 96u);
  EXPECT_EQ(parsed({"-kernel", "k"}).workload.memory_mib, 64u);
}

TEST(CompareOptions, Mistakes) {
  EXPECT_NE(refusal({"--import", "no file"}).find("NAME=FILE"), std::string::npos);
  EXPECT_NE(refusal({"--import", "<b>=x"}).find("NAME=FILE"), std::string::npos);
  EXPECT_NE(refusal({"--kernel", "k", "--mark", "x="}).find("NAME=TEXT"), std::string::npos);
  EXPECT_NE(refusal({"--runs", "0"}).find("--runs"), std::string::npos);
  EXPECT_NE(refusal({"--runs", "many"}).find("--runs"), std::string::npos);
  for (const char* const memory : {"4M", "8193K", "4G", "-1", "lots"})
    EXPECT_NE(refusal({"-m", memory}).find("-m"), std::string::npos) << memory;
  EXPECT_NE(refusal({"positional"}).find("--help"), std::string::npos);
}

TEST(CompareOptions, Help) {
  const auto result = parse_compare({"--help"});
  ASSERT_TRUE(result);
  EXPECT_NE(std::get<std::string>(*result).find("--import"), std::string::npos);
}

}  // namespace
}  // namespace ringshift
