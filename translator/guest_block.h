// GuestBlock: the guest instructions of one block-to-be, decoded.
#pragma once

#include <vector>

#include "cpu-model/cpu.h"
#include "cpu-model/instruction.h"
#include "translator/translation_block.h"

namespace ringshift::bt {

struct GuestInstruction {
  Instruction insn;
  u32 eip = 0;
};

struct GuestBlock {
  u32 eip = 0;
  Gpa pages[2] = {kNoPage, kNoPage};
  bool global = false;
  std::vector<GuestInstruction> instructions;

  u32 end_eip() const {
    const GuestInstruction& last = instructions.back();
    return last.eip + last.insn.length;
  }
};

inline constexpr unsigned kMaxBlockInstructions = 64;

// Decodes from eip (CS is flat) to the first instruction that ends a block, to the end of the page, or to
// kMaxBlockInstructions. An instruction that straddles pages stands in a block of its own. Empty: the code
// can't be translated here (not RAM, undefined, too long) and the interpreter must say what happens. A fault
// is that of the fetch.
Outcome<GuestBlock> read_guest_block(Cpu& cpu, const Decoder& decoder, u32 eip);

}  // namespace ringshift::bt
