// HtmlTable: a table that may be wider than the page, in a region that a keyboard can scroll.
#pragma once

#include <fmt/core.h>

#include <string>
#include <string_view>
#include <vector>

#include "report/output_text.h"

namespace ringshift {

class HtmlTable {
 public:
  explicit HtmlTable(std::string_view label, bool wide = false)
      : text_(fmt::format(R"(<div class="scroll" role="region" tabindex="0" aria-label="{}"><table{}>)",
                          html_escaped(label), wide ? R"( class="wide")" : "")) {}

  // numbers: columns behind the first are figures, and stand right.
  HtmlTable& head(const std::vector<std::string>& names, bool numbers = false) {
    text_ += "\n<thead><tr>";
    for (std::size_t i = 0; i < names.size(); ++i)
      text_ += fmt::format(R"(<th scope="col"{}>{}</th>)", numbers && i != 0 ? R"( class="number")" : "",
                           html_escaped(names[i]));
    text_ += "</tr></thead>\n<tbody>";
    return *this;
  }
  HtmlTable& row(std::string_view name_html) {
    text_ += fmt::format("{}\n<tr><th scope=\"row\">{}</th>", in_row_ ? "</tr>" : "", name_html);
    in_row_ = true;
    return *this;
  }
  // Escaped; kind: a class.
  HtmlTable& cell(std::string_view text, std::string_view kind = "") { return raw(html_escaped(text), kind); }
  HtmlTable& number(std::string_view text) { return cell(text, "number"); }
  HtmlTable& raw(std::string_view html, std::string_view kind = "") {
    text_ += kind.empty() ? fmt::format("<td>{}</td>", html)
                          : fmt::format(R"(<td class="{}">{}</td>)", kind, html);
    return *this;
  }
  std::string end() && { return std::move(text_) + (in_row_ ? "</tr>" : "") + "</tbody></table></div>\n"; }

 private:
  std::string text_;
  bool in_row_ = false;
};

}  // namespace ringshift
