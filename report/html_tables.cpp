// Tables of modes, figures, the paper, and the machine.
#include "report/html_tables.h"

#include <algorithm>

#include "report/html_table.h"
#include "report/known_rows.h"

namespace ringshift {

namespace {
std::string mode_name(const Mode& mode) {
  return fmt::format(R"(<span class="family-{}"><span class="key" aria-hidden="true"></span></span>{})",
                     name_of(mode.family), html_escaped(mode.id));
}

std::string figure_html(const Cell& cell) {
  if (!cell.measured())
    return fmt::format(R"(<span class="because">{}</span>)",
                       html_escaped(cell.failed.empty() ? "skipped" : "failed: " + cell.failed));
  const Summary summary = summarize(cell.ns);
  std::string text = html_escaped(time_text(summary.median));
  if (cell.ns.size() > 1)
    text += fmt::format(R"( <span class="spread">{}</span>)", html_escaped(percent_text(summary.spread())));
  return text;
}

std::vector<const ModeResult*> measured_modes(const Comparison& comparison) {
  std::vector<const ModeResult*> modes;
  for (const ModeResult& result : comparison.modes)
    if (std::any_of(result.cells.begin(), result.cells.end(),
                    [](const auto& cell) { return cell.second.measured(); }))
      modes.push_back(&result);
  return modes;
}

unsigned lines_with(std::string_view text, std::string_view start) {
  unsigned count = 0;
  while (!text.empty()) {
    if (text.starts_with(start)) ++count;
    text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  }
  return count;
}

std::string rig_verdict(const std::string& report) {
  constexpr const char* kHead = "<h3>Is the KVM engine right? From the rig</h3>\n";
  if (report.empty())
    return std::string(kHead) +
           "<p>The KVM rig has not run beside this program (<code>ctest -L kvm-rig</code>).</p>\n";
  return fmt::format(
      "{}<p>{} guests and boots passed and {} failed with <code>-engine kvm</code> in an emulated machine "
      "whose CPU has AMD-V "
      "and nested paging, where KVM is real: right or wrong, but no times.</p>\n<details><summary>What the "
      "rig "
      "said</summary>\n<pre tabindex=\"0\">{}</pre></details>\n",
      kHead, lines_with(report, "PASS "), lines_with(report, "FAIL "), html_escaped(report));
}

std::string state_text(const ModeResult& result) {
  std::string text;
  if (result.state == ModeState::complete)
    text = result.mode.family == Family::import
               ? "read"
               : fmt::format("{} run{}", result.runs, result.runs == 1 ? "" : "s");
  else
    text = fmt::format("{}: {}", name_of(result.state), result.reason);
  if (result.malformed != 0) text += fmt::format(" ({} malformed lines left out)", result.malformed);
  if (result.note.empty()) return text;
  return text + (result.mode.family == Family::import ? ": " : ". ") + result.note;
}
}  // namespace

std::string modes_table(const Comparison& comparison) {
  HtmlTable table("Modes");
  table.head({"Mode", "What it is", "State", "A run takes"});
  for (const ModeResult& result : comparison.modes) {
    table.row(mode_name(result.mode)).cell(result.mode.about).cell(state_text(result), "reason");
    table.number(result.wall_s.empty() ? "" : time_text(summarize(result.wall_s).median * 1e9));
  }
  return std::move(table).end();
}

std::string figures_table(const Comparison& comparison) {
  const auto modes = measured_modes(comparison);
  std::vector<std::string> names{"Row"};
  for (const ModeResult* mode : modes) names.push_back(mode->mode.id);
  HtmlTable table("All figures", true);
  table.head(names, true);
  for (const std::string& row : comparison.rows) {
    table.row(html_escaped(row));
    for (const ModeResult* mode : modes) {
      const Cell* cell = mode->cell(row);
      table.raw(cell == nullptr ? "" : figure_html(*cell), "number");
    }
  }
  return std::move(table).end();
}

std::string paper_table(const Comparison& comparison) {
  const auto modes = measured_modes(comparison);
  double khz = 0;
  if (comparison.doctor.is_object() && comparison.doctor.contains("/host/tsc/khz"_json_pointer))
    khz = comparison.doctor["/host/tsc/khz"_json_pointer].get<double>();
  if (khz <= 0) return "<p>The host's TSC rate is not known: no cycles can be told.</p>\n";
  std::vector<std::string> names{"Operation", "2006 native", "2006 translation", "2006 VT-x"};
  for (const ModeResult* mode : modes) names.push_back(mode->mode.id);
  HtmlTable table("Beside the paper, in cycles", true);
  table.head(names, true);
  for (const PaperRow& paper : paper_rows()) {
    if (std::find(comparison.rows.begin(), comparison.rows.end(), paper.row) == comparison.rows.end())
      continue;
    table.row(html_escaped(paper.theirs));
    for (const double cycles : {paper.native, paper.translation, paper.vt_x})
      table.number(fmt::format("{:.0f}", cycles));
    for (const ModeResult* mode : modes) {
      const Cell* cell = mode->cell(std::string(paper.row));
      const bool any = cell != nullptr && cell->measured();
      table.number(any ? fmt::format("{:.0f}", summarize(cell->ns).median * khz * 1e-6) : "");
    }
  }
  return fmt::format(
             "<p class=\"muted\">Cycles; those of today at {:.0f} MHz, the rate of this host's TSC. forkwait "
             "is "
             "a process of 40,000.</p>\n",
             khz / 1000) +
         std::move(table).end();
}

std::string machine_and_commands(const Comparison& comparison) {
  std::string html = fmt::format("<p>{}. {}. This comparison again:</p>\n<pre tabindex=\"0\">{}</pre>\n",
                                 html_escaped(comparison.machine), html_escaped(comparison.version),
                                 html_escaped(comparison.command));
  html += "<p>A run of each mode alone:</p>\n";
  for (const ModeResult& result : comparison.modes) {
    if (!result.mode.missing.empty() || result.mode.family == Family::import) continue;
    html += fmt::format("<h3>{}</h3>\n", html_escaped(result.mode.id));
    if (!result.version.empty())
      html += fmt::format("<p class=\"muted\">{}</p>\n", html_escaped(result.version));
    html += fmt::format("<pre tabindex=\"0\">{}</pre>\n", html_escaped(shell_line(result.mode.command)));
  }
  return html;
}

std::string kvm_verdict(const Comparison& comparison) {
  std::string html;
  if (!comparison.doctor.is_object() || !comparison.doctor.contains("kvm"))
    return "<p>The doctor said nothing.</p>\n";
  const auto& kvm = comparison.doctor["kvm"];
  html += fmt::format("<p><strong>{}.</strong> {}.</p>\n", html_escaped(kvm.value("verdict", "unknown")),
                      html_escaped(kvm.value("why", "")));
  const auto probe = kvm.value("probe", nlohmann::ordered_json::array());
  if (!probe.empty()) {
    HtmlTable table("Probe guests");
    table.head({"Probe guest", "Here"});
    for (const auto& test : probe)
      table.row(html_escaped(test.value("test", "")))
          .cell(test.value("works", false) ? "works" : "fails: " + test.value("detail", ""));
    html += std::move(table).end();
  }
  if (kvm.contains("exit_us") && kvm["exit_us"].is_object())
    html += fmt::format("<p>An exit costs {} by a port and {} by MMIO.</p>\n",
                        time_text(kvm["exit_us"].value("port", 0.0) * 1000),
                        time_text(kvm["exit_us"].value("mmio", 0.0) * 1000));
  return html + rig_verdict(comparison.rig);
}

}  // namespace ringshift
