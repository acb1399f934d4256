// The comparison as JSON: the file of --json, and what the page's script reads.
#include "report/known_rows.h"
#include "report/output_text.h"
#include "report/profile.h"
#include "report/renderings.h"

namespace ringshift {

namespace {
using Json = nlohmann::ordered_json;

Json cell_json(const Cell& cell) {
  Json json = Json::object();
  if (cell.measured()) {
    const Summary summary = summarize(cell.ns);
    json = {{"median_ns", summary.median}, {"min_ns", summary.minimum}, {"max_ns", summary.maximum},
            {"spread", summary.spread()},  {"least_ns", cell.least_ns}, {"runs_ns", cell.ns}};
  }
  if (!cell.checksum.empty()) json["checksum"] = cell.checksum;
  if (!cell.skipped.empty()) json["skipped"] = cell.skipped;
  if (!cell.failed.empty()) json["failed"] = cell.failed;
  return json;
}

Json exit_json(const ExitCost& exit) {
  Json json = {{"reason", exit.reason}, {"count", exit.count}};
  if (exit.most_ns) json["each_ns_at_most"] = *exit.most_ns, json["measured_in"] = exit.measured_in;
  return json;
}

Json profile_json(const Profile& profile) {
  Json json = {{"wall_s", profile.wall_s},
               {"vcpu_s", profile.vcpu_s},
               {"halted_s", profile.halted_s},
               {"instructions", profile.instructions}};
  if (profile.translation_s) json["translation_s"] = *profile.translation_s;
  json["time_parts"] = Json::array();
  for (const TimePart& part : time_parts(profile))
    json["time_parts"].push_back({{"part", part.part}, {"seconds", part.seconds}});
  json["exits"] = Json::array();
  for (const ExitCost& exit : profile.exits) json["exits"].push_back(exit_json(exit));
  json["exits_of_an_operation"] = Json::object();
  for (const auto& [row, exits] : profile.rows) json["exits_of_an_operation"][row] = exits;
  json["stats"] = profile.stats;
  return json;
}

Json mode_json(const ModeResult& result) {
  const Mode& mode = result.mode;
  Json json = {{"id", mode.id},
               {"about", mode.about},
               {"family", name_of(mode.family)},
               {"state", name_of(result.state)},
               {"reason", result.reason},
               {"note", result.note},
               {"version", result.version},
               {"runs", result.runs},
               {"wall_s", result.wall_s}};
  json["command"] = mode.family == Family::import
                        ? "--import " + shell_line({mode.id + "=" + mode.import_file})
                        : shell_line(mode.command);
  if (result.tsc_khz != 0) json["tsc_khz"] = result.tsc_khz;
  if (result.malformed != 0) json["malformed_lines"] = result.malformed;
  json["cells"] = Json::object();
  for (const std::string& row : result.order) json["cells"][row] = cell_json(result.cells.at(row));
  if (result.profile) json["profile"] = profile_json(*result.profile);
  return json;
}

Json row_json(const std::string& name) {
  Json json = {{"name", name}, {"group", "guest"}, {"about", ""}};
  if (const KnownRow* known = find_known_row(name))
    json["group"] = known->group, json["about"] = known->about;
  return json;
}

Json paper_json() {
  Json rows = Json::array();
  for (const PaperRow& row : paper_rows())
    rows.push_back({{"row", row.row},
                    {"theirs", row.theirs},
                    {"native", row.native},
                    {"translation", row.translation},
                    {"vt_x", row.vt_x}});
  return {{"title",
           "K. Adams and O. Agesen, A Comparison of Software and Hardware Techniques for x86 Virtualization, "
           "ASPLOS 2006"},
          {"unit", "cycles of a 3.8 GHz Pentium 4"},
          {"rows", rows}};
}
}  // namespace

Json comparison_json(const Comparison& comparison) {
  const Workload& workload = comparison.workload;
  Json json = {{"format", "ringshift-compare 1"},
               {"version", comparison.version},
               {"made_at", comparison.made_at},
               {"command", comparison.command},
               {"took_s", comparison.took_s},
               {"machine", comparison.machine},
               {"guest",
                {{"kernel", workload.kernel},
                 {"initrd", workload.initrd},
                 {"append", workload.append},
                 {"pv_kernel", workload.pv_kernel},
                 {"memory_mib", workload.memory_mib}}},
               {"runs", comparison.runs}};
  json["rows"] = Json::array();
  for (const std::string& row : comparison.rows) json["rows"].push_back(row_json(row));
  json["modes"] = Json::array();
  for (const ModeResult& result : comparison.modes) json["modes"].push_back(mode_json(result));
  json["wrong_checksums"] = comparison.wrong_checksums();
  json["paper"] = paper_json();
  json["doctor"] = comparison.doctor;
  json["rig"] = comparison.rig;
  return json;
}

}  // namespace ringshift
