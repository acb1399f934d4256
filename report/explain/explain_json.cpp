// The JSON form: everything that an Explanation holds, and the sentences beside the reasons' names.
#include "report/explain/explain_json.h"

#include <nlohmann/json.hpp>

namespace ringshift {

namespace {

using nlohmann::json;

json of(const CodePart& part);
json of(const ExplainedFault& fault);
json of(const ExplainedInstruction& insn);
json of(const ExplainedExit& exit);
json of(const ExplainedTranslation& translation);
json of(const ExplainedBlock& block);

template <class T>
json list_of(const std::vector<T>& items) {
  json list = json::array();
  for (const T& item : items) list.push_back(of(item));
  return list;
}

json of(const CodePart& part) {
  json lines = json::array();
  for (const HostLine& line : part.lines)
    lines.push_back({{"offset", line.offset}, {"bytes", line.bytes}, {"text", line.text}});
  return {{"reason", name_of(part.reason)}, {"times", part.times}, {"host", std::move(lines)}};
}

json of(const ExplainedFault& fault) { return {{"what", fault.what}, {"count", fault.count}}; }

json of(const ExplainedInstruction& insn) {
  return {{"eip", insn.eip},
          {"bytes", insn.bytes},
          {"text", insn.text},
          {"treatment", name_of(insn.decided.treatment)},
          {"because", sentence_of(insn.decided)},
          {"executions", insn.executions},
          {"identity", insn.identity},
          {"code", list_of(insn.code)},
          {"cold", list_of(insn.cold)},
          {"faults", list_of(insn.faults)}};
}

json of(const ExplainedExit& exit) {
  return {{"ending", exit.ending},     {"from", exit.from_eip},
          {"target", exit.target_eip}, {"target name", exit.target},
          {"state", exit.state},       {"taken", exit.taken ? json(*exit.taken) : json()}};
}

json of(const ExplainedTranslation& translation) {
  return {{"number", translation.number},
          {"entries", translation.entries},
          {"instructions", translation.instructions},
          {"dropped", translation.dropped},
          {"history", translation.history},
          {"left out", translation.left_out}};
}

json of(const ExplainedBlock& block) {
  return {{"eip", block.eip},
          {"name", block.name},
          {"mode", block.mode},
          {"relocatable", block.relocatable},
          {"global", block.global},
          {"rounds", block.rounds},
          {"guest bytes", block.guest_bytes},
          {"host bytes", block.host_bytes},
          {"cold bytes", block.cold_bytes},
          {"entries", block.entries},
          {"passes", block.passes},
          {"instructions executed", block.instructions_executed},
          {"share", block.share},
          {"shown", block.shown},
          {"head", list_of(block.head)},
          {"instructions", list_of(block.instructions)},
          {"tail", list_of(block.tail)},
          {"exits", list_of(block.exits)},
          {"translations", list_of(block.translations)}};
}

}  // namespace

std::string explanation_json(const Explanation& explanation) {
  json reasons = json::object();
  for (unsigned i = 0; i < bt::kEmissionReasons; ++i) {
    const auto reason = static_cast<bt::EmissionReason>(i);
    reasons[std::string(name_of(reason))] = sentence_of(reason);
  }
  const json document = {{"guest", explanation.guest},
                         {"command", explanation.command},
                         {"ended", explanation.ended},
                         {"selection", explanation.selection},
                         {"translations", explanation.translations},
                         {"left out", explanation.left_out},
                         {"places", explanation.places},
                         {"instructions", explanation.instructions},
                         {"reasons", std::move(reasons)},
                         {"blocks", list_of(explanation.blocks)}};
  // Paths may hold any bytes.
  return document.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace ringshift
