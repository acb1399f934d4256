// The fields of VcpuState and BtContext that emitted code uses.
#include "report/explain/state_names.h"

#include <fmt/format.h>

#include <cstddef>
#include <cstdlib>
#include <regex>
#include <string_view>

#include "cpu-model/vcpu_state.h"
#include "translator/bt_context.h"

namespace ringshift {

namespace {

struct Field {
  std::size_t offset;
  std::string_view name;
};

constexpr Field kContext[] = {
    {offsetof(bt::BtContext, quiet), "context.quiet"},
    {offsetof(bt::BtContext, page_eip), "context.page_eip"},
    {offsetof(bt::BtContext, executed), "context.executed"},
    {offsetof(bt::BtContext, budget), "context.budget"},
    {offsetof(bt::BtContext, budget) + 7, "context.budget.sign"},
    {offsetof(bt::BtContext, tsc) + offsetof(TscScale, host_base), "context.tsc.host_base"},
    {offsetof(bt::BtContext, tsc) + offsetof(TscScale, rate), "context.tsc.rate"},
    {offsetof(bt::BtContext, tsc) + offsetof(TscScale, guest_base), "context.tsc.guest_base"},
    {offsetof(bt::BtContext, jump_table) + offsetof(bt::JumpEntry, negated_tag), "context.jump_table.tag"},
    {offsetof(bt::BtContext, jump_table) + offsetof(bt::JumpEntry, target), "context.jump_table.target"},
};

constexpr Field kState[] = {
    {offsetof(VcpuState, rflags), "cpu.rflags"},   {offsetof(VcpuState, cr0), "cpu.cr0"},
    {offsetof(VcpuState, cr2), "cpu.cr2"},         {offsetof(VcpuState, cr3), "cpu.cr3"},
    {offsetof(VcpuState, cr4), "cpu.cr4"},         {offsetof(VcpuState, tsc_offset), "cpu.tsc_offset"},
    {offsetof(VcpuState, tsc_aux), "cpu.tsc_aux"},
};

std::string segment_name(std::size_t offset) {
  constexpr std::string_view kNames[kSegCount] = {"es", "cs", "ss", "ds", "fs", "gs"};
  constexpr std::size_t kFirst = offsetof(VcpuState, seg);
  if (offset < kFirst || offset >= kFirst + kSegCount * sizeof(SegmentRegister)) return {};
  const std::size_t within = (offset - kFirst) % sizeof(SegmentRegister);
  const std::string_view field = within == offsetof(SegmentRegister, selector) ? "selector"
                                 : within == offsetof(SegmentRegister, limit)  ? "limit"
                                 : within == offsetof(SegmentRegister, base)   ? "base"
                                                                               : "?";
  return fmt::format("cpu.{}.{}", kNames[(offset - kFirst) / sizeof(SegmentRegister)], field);
}

std::string name_at(bool context, std::size_t offset) {
  if (!context)
    if (std::string segment = segment_name(offset); !segment.empty()) return segment;
  const Field* const begin = context ? std::begin(kContext) : std::begin(kState);
  const Field* const end = context ? std::end(kContext) : std::end(kState);
  for (const Field* field = begin; field != end; ++field)
    if (field->offset == offset) return std::string(field->name);
  return {};
}

}  // namespace

std::string with_state_names(std::string operands) {
  static const std::regex kPlace(R"(\[(r13|r15)((?: \+ r\d+(?:\*\d)?)?)(?: \+ (0x[0-9a-f]+|\d+))?\])");
  std::smatch match;
  if (!std::regex_search(operands, match, kPlace)) return operands;
  const std::size_t offset = match[3].matched ? std::strtoull(match.str(3).c_str(), nullptr, 0) : 0;
  const std::string name = name_at(match.str(1) == "r15", offset);
  if (name.empty()) return operands;
  return match.prefix().str() + "[" + name + match.str(2) + "]" + match.suffix().str();
}

}  // namespace ringshift
