// Disassembly of a block's host code, span by span.
#include "report/explain/host_listing.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <regex>

#include "report/explain/state_names.h"

namespace ringshift {

namespace {

u64 address(const void* pointer) { return reinterpret_cast<u64>(pointer); }

void name_stubs(std::map<u64, std::string>& names, const bt::RuntimeStubs& stubs) {
  const std::pair<const u8*, const char*> kStubs[] = {
      {stubs.leave, "leave"},
      {stubs.access, "fill_lookup"},
      {stubs.write, "fill_lookup_to_write"},
      {stubs.interpret, "interpret"},
      {stubs.chain, "link"},
      {stubs.jump, "jump_table_miss"},
      {stubs.port, "port"},
      {stubs.light_segment, "load_segment"},
      {stubs.light_sysenter, "sysenter"},
      {stubs.light_sysexit, "sysexit"},
      {stubs.light_iret, "iret"},
      {stubs.light_cr0, "write_cr0"},
      {stubs.light_cpuid, "cpuid"},
      {stubs.lookup, "jump_table"},
      {stubs.events, "dispatcher"},
  };
  for (const auto& [stub, name] : kStubs)
    if (stub != nullptr) names.emplace(address(stub), fmt::format("stub:{}", name));
}

}  // namespace

HostListing::HostListing(const bt::BlockRecord& block, const bt::RuntimeStubs& stubs) : block_(block) {
  name_stubs(names_, stubs);
  for (std::size_t i = 0; i < block.notes.exits.size(); ++i)
    names_.emplace(address(block.notes.exits[i].link), fmt::format("exit{}", i + 1));
  for (const bt::InterpretSite* const site : block.sites) names_.emplace(address(site), "this_instruction");
  if (block.counters == nullptr) return;
  names_.emplace(address(&block.counters->entries), "counters.entries");
  for (const u64& taken : block.counters->side_exits) names_.emplace(address(&taken), "counters.side_exit");
  for (const u64& taken : block.counters->loop_exits) names_.emplace(address(&taken), "counters.loop_exit");
}

// Where it is counted, a side exit's branch leads to cold code, which then leaves.
unsigned HostListing::exit_at(const bt::EmissionSpan& span, u32 end) const {
  const auto& exits = block_.notes.exits;
  for (unsigned i = 0; i < exits.size(); ++i) {
    const bool counted = span.reason == bt::EmissionReason::side_exit && exits[i].ending == span.reason &&
                         exits[i].guest_offset == span.guest_offset;
    if (exits[i].patch_offset + 4 == end || counted) return i + 1;
  }
  return 0;
}

std::string HostListing::named_operands(const bt::HostDisassembler::Line& line, u32 offset) const {
  const u32 end = offset + line.length;
  static const std::regex kRelative(R"(\[rip ([+-]) (0x[0-9a-f]+|\d+)\])");
  std::smatch match;
  if (std::regex_search(line.operands, match, kRelative)) {
    const i64 distance = std::strtoll(match.str(2).c_str(), nullptr, 0);
    const i64 target = i64{end} + (match.str(1) == "+" ? distance : -distance);
    return match.prefix().str() + fmt::format("[+{:x}]", target) + match.suffix().str();
  }
  static const std::regex kNumber("0x[0-9a-f]+");
  if (!std::regex_search(line.operands, match, kNumber)) return with_state_names(line.operands);
  const u64 value = std::strtoull(match.str().c_str(), nullptr, 16);
  const u64 within = value - address(block_.code);
  const auto found = names_.find(value);
  std::string name;
  if (within < block_.host.size())
    name = fmt::format("+{:x}", within);
  else if (found != names_.end())
    name = found->second;
  else
    return with_state_names(line.operands);
  return match.prefix().str() + name + match.suffix().str();
}

std::vector<HostLine> HostListing::lines(std::size_t span) {
  const auto& spans = block_.notes.spans;
  const auto end =
      span + 1 < spans.size() ? spans[span + 1].host_offset : static_cast<u32>(block_.host.size());
  std::vector<HostLine> lines;
  for (u32 offset = spans[span].host_offset; offset < end;) {
    auto line =
        disassembler_.line({block_.host.data() + offset, end - offset}, address(block_.code) + offset);
    const u32 length = std::max<u32>(line.length, 1);
    std::string bytes = bt::hex_bytes(block_.host.data() + offset, length);
    bytes.pop_back();
    const unsigned exit = line.mnemonic[0] == 'j' ? exit_at(spans[span], offset + length) : 0;
    const std::string operands = exit != 0 ? fmt::format("exit{}", exit) : named_operands(line, offset);
    lines.push_back({offset, std::move(bytes),
                     operands.empty() ? line.mnemonic : fmt::format("{} {}", line.mnemonic, operands)});
    offset += length;
  }
  return lines;
}

}  // namespace ringshift
