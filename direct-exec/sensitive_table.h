// SensitiveTable: the sensitive instructions that were executed and did not trap, for -d sensitive.
#pragma once

#include <map>
#include <string>

#include "cpu-model/instruction.h"

namespace ringshift {

class SensitiveTable {
 public:
  // One execution at EIP: what the guest saw, and what it should have seen.
  void add(const Instruction& insn, u32 eip, u8 cpl, const std::string& saw, const std::string& should);
  bool empty() const { return rows_.empty(); }
  // A line for each place, in order of EIP. The values are those of the first execution that went wrong
  // there, else of the first.
  std::string text() const;

 private:
  struct Row {
    std::string instruction, saw, should;
    u64 times = 0, wrong = 0;
  };
  // A guest can't make it grow for ever.
  static constexpr std::size_t kMaxRows = 1000;
  std::map<std::pair<u32, std::string>, Row> rows_;  // by EIP, and CPL with the instruction
  u64 left_out_ = 0;
};

}  // namespace ringshift
