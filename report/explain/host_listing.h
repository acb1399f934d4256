// HostListing: a recorded block's host code as text: disassembled, and the monitor's own addresses named.
#pragma once

#include <map>

#include "report/explain/explanation.h"
#include "translator/disassembly.h"
#include "translator/history/translation_recorder.h"

namespace ringshift {

class HostListing {
 public:
  HostListing(const bt::BlockRecord& block, const bt::RuntimeStubs& stubs);

  // The instructions of one of the block's spans.
  std::vector<HostLine> lines(std::size_t span);

 private:
  std::string named_operands(const bt::HostDisassembler::Line& line, u32 offset) const;
  // The exit that a jump there leaves by; 0: none.
  unsigned exit_at(const bt::EmissionSpan& span, u32 end) const;

  const bt::BlockRecord& block_;
  std::map<u64, std::string> names_;
  bt::HostDisassembler disassembler_;
};

}  // namespace ringshift
