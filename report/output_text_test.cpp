// Escapes against names that want out, and numbers as people read them.
#include "report/output_text.h"

#include <gtest/gtest.h>

namespace ringshift {
namespace {

TEST(OutputText, Times) {
  EXPECT_EQ(time_text(0.304), "0.30 ns");
  EXPECT_EQ(time_text(15.25), "15.2 ns");
  EXPECT_EQ(time_text(240.4), "240 ns");
  EXPECT_EQ(time_text(999.4), "999 ns");
  EXPECT_EQ(time_text(999.6), "1.00 us");
  EXPECT_EQ(time_text(5919), "5.92 us");
  EXPECT_EQ(time_text(2.5e9), "2.50 s");
  EXPECT_EQ(time_text(4e12), "4000 s");
}

TEST(OutputText, Ratios) {
  EXPECT_EQ(ratio_text(1), "1.00");
  EXPECT_EQ(ratio_text(12.44), "12.4");
  EXPECT_EQ(ratio_text(0.0021), "0.002");
  EXPECT_EQ(percent_text(0.034), "3%");
  EXPECT_EQ(percent_text(8432.9), ">999%");
}

TEST(OutputText, HtmlKeepsTextText) {
  EXPECT_EQ(html_escaped("<b onclick='x'>\"&"), "&lt;b onclick=&#39;x&#39;&gt;&quot;&amp;");
  EXPECT_EQ(html_escaped("a\x1b\x01z"), "a??z");
}

TEST(OutputText, JsonCannotEndItsScript) {
  const nlohmann::ordered_json json = {{"name", "</script><script>alert(1)</script><!-- & \xff\xe2\x80\xa8"}};
  const std::string text = script_json(json);
  for (const char c : text) EXPECT_TRUE(c >= ' ' && c <= '~' && c != '<' && c != '>' && c != '&') << text;
  const auto back = nlohmann::json::parse(text);
  EXPECT_TRUE(back["name"].get<std::string>().starts_with("</script><script>alert(1)</script><!-- & "));
}

TEST(OutputText, CsvFields) {
  EXPECT_EQ(csv_field("plain"), "plain");
  EXPECT_EQ(csv_field("a,b"), "\"a,b\"");
  EXPECT_EQ(csv_field("say \"no\"\n"), "\"say \"\"no\"\"\n\"");
  EXPECT_EQ(csv_field("=HYPERLINK(1)"), "\"'=HYPERLINK(1)\"");
}

TEST(OutputText, ShellLines) {
  EXPECT_EQ(shell_line({"run", "-append", "ms=20 x", "it's", "$(rm)"}),
            "run -append 'ms=20 x' 'it'\\''s' '$(rm)'");
  EXPECT_EQ(shell_line({""}), "''");
}

}  // namespace
}  // namespace ringshift
