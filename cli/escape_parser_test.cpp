// Ctrl-A commands, also when they come in pieces.
#include "cli/escape_parser.h"

#include <gtest/gtest.h>

#include "cli/exit_status.h"

namespace ringshift {
namespace {

std::vector<EscapeParser::Item> feed(EscapeParser& parser, std::string_view text) {
  return parser.parse({reinterpret_cast<const u8*>(text.data()), text.size()});
}

std::string text_of(const EscapeParser::Item& item) { return {item.bytes.begin(), item.bytes.end()}; }

TEST(EscapeParserTest, PlainTextPasses) {
  EscapeParser parser;
  const auto items = feed(parser, "ls -l\r");
  ASSERT_EQ(items.size(), 1u);
  EXPECT_EQ(items[0].command, EscapeCommand::none);
  EXPECT_EQ(text_of(items[0]), "ls -l\r");
}

TEST(EscapeParserTest, Commands) {
  EscapeParser parser;
  const auto items = feed(parser,
                          "a\x01xb\x01"
                          "C\x01h");
  ASSERT_EQ(items.size(), 5u);
  EXPECT_EQ(text_of(items[0]), "a");
  EXPECT_EQ(items[1].command, EscapeCommand::quit);
  EXPECT_EQ(text_of(items[2]), "b");
  EXPECT_EQ(items[3].command, EscapeCommand::monitor);
  EXPECT_EQ(items[4].command, EscapeCommand::help);
}

TEST(EscapeParserTest, CtrlAItself) {
  EscapeParser parser;
  const auto items = feed(parser,
                          "\x01"
                          "a\x01\x01\x01"
                          "A");
  ASSERT_EQ(items.size(), 1u);
  EXPECT_EQ(text_of(items[0]), "\x01\x01\x01");
}

TEST(EscapeParserTest, SplitBetweenReads) {
  EscapeParser parser;
  EXPECT_TRUE(feed(parser, "\x01").empty());
  const auto items = feed(parser, "x");
  ASSERT_EQ(items.size(), 1u);
  EXPECT_EQ(items[0].command, EscapeCommand::quit);
}

TEST(EscapeParserTest, OtherKeysAreDropped) {
  EscapeParser parser;
  const auto items = feed(parser, "\x01zq");
  ASSERT_EQ(items.size(), 1u);
  EXPECT_EQ(text_of(items[0]), "q");
}

TEST(ExitStatusTest, ProgramsOwnAreEven) {
  EXPECT_EQ(exit_status_of(ErrorKind::usage), 2);
  EXPECT_EQ(exit_status_of(ErrorKind::input_file), 4);
  EXPECT_EQ(exit_status_of(ErrorKind::engine_unavailable), 6);
  EXPECT_EQ(exit_status_of(ErrorKind::internal), 10);
  for (const int status : {kExitSuccess, kExitUsage, kExitInputFile, kExitEngineUnavailable, kExitTripleFault,
                           kExitInternal, kExitTimeout})
    EXPECT_EQ(status % 2, 0);
}

}  // namespace
}  // namespace ringshift
