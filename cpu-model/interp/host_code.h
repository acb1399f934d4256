// HostCode: executes single guest x87, MMX and SSE instructions by the host's own, on copies of their
// operands.
//
// Each distinct instruction gets a stub in executable memory once: its canonical bytes (prefixes that mean
// nothing dropped, a memory operand redirected to [r8], ESP as an operand renamed r12) and a RET. No mapping
// is writable and executable at once.
#pragma once

#include <unordered_map>

#include "base/unique_fd.h"
#include "cpu-model/instruction.h"

namespace ringshift {

// What a stub works on. The assembly in host_code.cpp knows this layout.
struct alignas(16) HostContext {
  FxState fx;        // loaded and saved whole
  u8 memory[32];     // the memory operand
  u32 gpr[8];        // loaded and saved whole; ESP is r12 in the stub
  u32 flags_image;   // arithmetic flags, as a FlagsImage
  u32 host_mxcsr;    // the monitor's own, meanwhile
  u32 host_control;  // so is its x87 control word
  u32 reserved;
};

class HostCode {
 public:
  HostCode() = default;
  HostCode(const HostCode&) = delete;
  ~HostCode();

  // Executes insn, which must be a data-processing instruction of x87, MMX or SSE: no string form, no control
  // transfer, nothing that waits on the state of `context` (no pending x87 exception) or is unmasked in its
  // MXCSR.
  void run(const Instruction& insn, HostContext& context);

 private:
  static constexpr unsigned kSlotSize = 16;
  static constexpr unsigned kSlots = 4096;

  const u8* stub_for(const Instruction& insn);
  void map();
  void unmap();

  std::unordered_map<u64, u32> slots_;  // by canonical bytes, at most 8
  UniqueFd fd_;
  u8* writable_ = nullptr;
  u8* executable_ = nullptr;
};

}  // namespace ringshift
