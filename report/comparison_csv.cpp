// A line for each row in each mode.
#include <fmt/core.h>

#include "report/output_text.h"
#include "report/renderings.h"

namespace ringshift {

std::string comparison_csv(const Comparison& comparison) {
  std::string text = "row,mode,state,runs,median_ns,min_ns,max_ns,least_ns,checksum,reason\n";
  for (const std::string& row : comparison.rows)
    for (const ModeResult& result : comparison.modes) {
      const Cell* cell = result.cell(row);
      std::string figures = "0,,,,,";
      std::string reason = result.reason, state = name_of(result.state);
      if (cell != nullptr && cell->measured()) {
        const Summary summary = summarize(cell->ns);
        figures = fmt::format("{},{:.3f},{:.3f},{:.3f},{:.3f},{}", cell->ns.size(), summary.median,
                              summary.minimum, summary.maximum, cell->least_ns, csv_field(cell->checksum));
        reason.clear();
        state = "measured";
      } else if (cell != nullptr) {
        reason = cell->failed.empty() ? cell->skipped : cell->failed;
        state = cell->failed.empty() ? "skipped" : "failed";
      }
      text += fmt::format("{},{},{},{},{}\n", csv_field(row), csv_field(result.mode.id), state, figures,
                          csv_field(reason));
    }
  return text;
}

}  // namespace ringshift
