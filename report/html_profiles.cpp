// Tables of exits, their costs, and where the time goes.
#include <algorithm>

#include "report/html_table.h"
#include "report/html_tables.h"
#include "report/profile.h"

namespace ringshift {

namespace {
std::string grouped(u64 value) {
  std::string digits = std::to_string(value);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, 1, ',');
  return digits;
}

std::string parts_table(const ModeResult& result) {
  const Profile& profile = *result.profile;
  HtmlTable table("Where the time goes: " + result.mode.id);
  table.head({"Part", "Time", "Share"}, true);
  constexpr unsigned kShades = 6;  // compare.css
  unsigned shade = 0;
  for (const TimePart& part : time_parts(profile))
    table
        .row(fmt::format(R"(<span class="shade-{}"><span class="key" aria-hidden="true"></span></span>{})",
                         shade++ % kShades, html_escaped(part.part)))
        .number(time_text(part.seconds * 1e9))
        .number(fmt::format("{:.0f} %", profile.vcpu_s > 0 ? 100 * part.seconds / profile.vcpu_s : 0));
  return fmt::format("<div class=\"parts scripted\" data-mode=\"{}\" aria-hidden=\"true\" hidden></div>\n",
                     html_escaped(result.mode.id)) +
         std::move(table).end();
}

std::string exits_table(const ModeResult& result) {
  HtmlTable table("Exits: " + result.mode.id);
  table.head({"Reason", "Exits", "One costs at most", "Measured in row"}, true);
  for (const ExitCost& exit : result.profile->exits)
    table.row(html_escaped(exit.reason))
        .number(grouped(exit.count))
        .number(exit.most_ns ? time_text(*exit.most_ns) : "")
        .number(exit.measured_in);
  return std::move(table).end();
}

std::string rows_table(const ModeResult& result) {
  HtmlTable table("Exits of an operation: " + result.mode.id);
  table.head({"Row", "Exits of one operation"});
  for (const std::string& row : result.order) {
    const auto found = result.profile->rows.find(row);
    if (found == result.profile->rows.end() || found->second.empty()) continue;
    std::string text;
    for (const auto& [reason, each] : found->second)
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", ratio_text(each), reason);
    table.row(html_escaped(row)).cell(text);
  }
  return "<details><summary>Exits of one operation of each row</summary>\n" + std::move(table).end() +
         "</details>\n";
}
}  // namespace

std::string profile_tables(const Comparison& comparison) {
  std::string html;
  for (const ModeResult& result : comparison.modes) {
    if (!result.profile) continue;
    const Profile& profile = *result.profile;
    html += fmt::format(
        "<h3>{}</h3>\n<p class=\"muted\">{} instructions in {} of the virtual CPU's time, {} halted "
        "beside it.</p>\n",
        html_escaped(result.mode.id), grouped(profile.instructions), time_text(profile.vcpu_s * 1e9),
        time_text(profile.halted_s * 1e9));
    html += parts_table(result);
    if (!profile.exits.empty()) html += exits_table(result);
    if (!profile.rows.empty()) html += rows_table(result);
  }
  if (html.empty()) return "<p>No mode was profiled.</p>\n";
  return "<p>From runs with <code>-stats</code>, which slow an engine down; so they are apart from the timed "
         "ones. The "
         "cost of an exit is bounded from above: the time of a row most of whose exits are of that kind, "
         "with the "
         "guest's own work and other exits, over their number. Translation is estimated from the histogram "
         "of its pauses.</p>\n" +
         html;
}

}  // namespace ringshift
