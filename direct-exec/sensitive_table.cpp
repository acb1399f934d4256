// The table's text.
#include "direct-exec/sensitive_table.h"

#include <fmt/format.h>

#include "direct-exec/sensitive_kinds.h"

namespace ringshift {

void SensitiveTable::add(const Instruction& insn, u32 eip, u8 cpl, const std::string& saw,
                         const std::string& should) {
  const std::string instruction = fmt::format("{}  {}", cpl, instruction_text(insn, eip));
  const auto key = std::make_pair(eip, instruction);
  auto found = rows_.find(key);
  if (found == rows_.end()) {
    if (rows_.size() >= kMaxRows) {
      ++left_out_;
      return;
    }
    found = rows_.emplace(key, Row{instruction, saw, should}).first;
  }
  Row& row = found->second;
  ++row.times;
  if (saw == should) return;
  if (++row.wrong == 1) {
    row.saw = saw;
    row.should = should;
  }
}

std::string SensitiveTable::text() const {
  constexpr const char* kLine = "{:<8}  {:<32} {:<36} {:<36} {:>9} {:>9}\n";
  std::string text = "sensitive instructions that did not trap\n";
  text +=
      fmt::format(kLine, "EIP", "CPL instruction", "the guest saw", "it should have seen", "times", "wrong");
  u64 times = 0, wrong = 0;
  for (const auto& [key, row] : rows_) {
    text += fmt::format(kLine, fmt::format("{:08x}", key.first), row.instruction, row.saw, row.should,
                        row.times, row.wrong);
    times += row.times;
    wrong += row.wrong;
  }
  text += fmt::format("{} executions at {} places, {} with a wrong result\n", times, rows_.size(), wrong);
  if (left_out_ != 0) text += fmt::format("{} more at places that are left out\n", left_out_);
  return text;
}

}  // namespace ringshift
