// The page: its template, filled.
#include <fmt/core.h>

#include <map>

#include "report/html_tables.h"
#include "report/output_text.h"
#include "report/page_files.h"
#include "report/renderings.h"

namespace ringshift {

namespace {
using Fields = std::map<std::string, std::string, std::less<>>;

// Replaces {{NAME}}, once: what is put in is not looked at again, whatever it holds.
std::string filled(std::string_view text, const Fields& fields) {
  std::string out;
  for (;;) {
    const auto open = text.find("{{");
    const auto close = open == std::string_view::npos ? open : text.find("}}", open);
    if (close == std::string_view::npos) return out.append(text);
    const auto field = fields.find(text.substr(open + 2, close - open - 2));
    out.append(text.substr(0, field == fields.end() ? close + 2 : open));
    if (field != fields.end()) out += field->second;
    text.remove_prefix(close + 2);
  }
}

std::string file_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::string lead(const Comparison& comparison) {
  const Workload& workload = comparison.workload;
  std::string text = fmt::format("{} ({}), {} run{} of each mode in turn on {}, {}",
                                 file_name(workload.kernel), workload.append, comparison.runs,
                                 comparison.runs == 1 ? "" : "s", comparison.machine, comparison.made_at);
  return html_escaped(text) + ".";
}

std::string warnings(const Comparison& comparison) {
  std::string html;
  for (const std::string& row : comparison.wrong_checksums())
    html +=
        fmt::format("<p class=\"warning\"><strong>{}:</strong> the modes don't agree on its checksum.</p>\n",
                    html_escaped(row));
  return html;
}
}  // namespace

std::string comparison_html(const Comparison& comparison, const std::string& nonce) {
  return filled(kPageHtml,
                {{"nonce", nonce},
                 {"style", kPageStyle},
                 {"script", kPageScript},
                 {"version", html_escaped(comparison.version)},
                 {"lead", lead(comparison)},
                 {"warnings", warnings(comparison)},
                 {"modes", modes_table(comparison)},
                 {"paper", paper_table(comparison)},
                 {"exits", profile_tables(comparison)},
                 {"kvm", kvm_verdict(comparison)},
                 {"repeat", machine_and_commands(comparison)},
                 {"figures", figures_table(comparison)},
                 {"footer", html_escaped(fmt::format("Made by {} in {:.0f} s, {}.", comparison.version,
                                                     comparison.took_s, comparison.made_at))},
                 {"data", script_json(comparison_json(comparison))}});
}

}  // namespace ringshift
