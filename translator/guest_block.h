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
  u8 live = 0;  // of OperandField's bits: those that are patched (translator/live_operands.h)

  u32 next_eip() const { return eip + insn.length; }
  // Of a relative branch; an operand size of 16 bits truncates it (SDM vol. 2A Jcc).
  u32 branch_target() const {
    return (next_eip() + insn.immediate) & (insn.operand_size == 2 ? 0xffffu : ~0u);
  }
};

struct GuestBlock {
  u32 eip = 0;
  Gva linear = 0;  // CS.base + eip
  CodeMode mode = CodeMode::protected32;
  Gpa pages[2] = {kNoPage, kNoPage};
  bool global = false;
  const u8* host = nullptr;  // its bytes, on the first page
  // Its page has been written to since code of it was translated; how often other bytes were translated here.
  bool patched = false;
  u32 versions = 0;
  std::vector<GuestInstruction> instructions;

  u32 end_eip() const { return instructions.back().next_eip(); }
  // Of its conditional branches, all but the last instruction are passed when not taken.
  bool is_side_exit(const GuestInstruction& branch) const { return &branch != &instructions.back(); }
};

inline constexpr unsigned kMaxBlockInstructions = 64;
inline constexpr unsigned kMaxSideExits = 2;

// Decodes from CS:eip to the first instruction that ends a block, to the end of the page, to CS's limit, or
// to kMaxBlockInstructions. Forward conditional branches, kMaxSideExits of them, don't end it. An instruction
// that straddles pages stands in a block of its own. Empty: the code can't be translated here (not RAM,
// undefined, too long, beyond the limit) and the interpreter must say what happens. A fault is that of the
// fetch.
Outcome<GuestBlock> read_guest_block(Cpu& cpu, const Decoder& decoder, u32 eip);

// Cuts the block so that instructions at these EIPs stand in blocks of their own; by their place in the page,
// since a block may serve a page wherever it is mapped.
void cut_block(GuestBlock& block, const std::vector<u32>& alone);

}  // namespace ringshift::bt
