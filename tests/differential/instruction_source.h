// InstructionSource: draws random user-level instructions that the CPU model under test has.
#pragma once

#include <Zydis/Zydis.h>

#include <optional>

#include "cpu-model/cpuid.h"
#include "cpu-model/instruction.h"
#include "tests/differential/random.h"
#include "tests/differential/sequence.h"

namespace ringshift::differential {

// What is known of the registers at a point in a sequence; it steers memory operands to where there is
// memory.
struct RegisterKnowledge {
  u8 pointers = 0;  // registers that point into the data or stack arena, one bit each
  u8 small = 0;     // registers that hold a small number
};

class InstructionSource {
 public:
  explicit InstructionSource(const CpuidTable& cpuid);

  enum class Limits { none, loop_body };  // loop_body: no branch, and ECX stays
  // items_after: how many items may be branched over (target = 1 .. items_after + 1, relative).
  Item draw(Random& random, RegisterKnowledge& knowledge, Limits limits, bool low_arena) const;

 private:
  struct Decoded {
    ZydisDecodedInstruction insn;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
  };
  bool acceptable(Random& random, const u8* bytes, unsigned length, const Decoded& decoded,
                  Limits limits) const;
  Decoder decoder_;
  ZydisDecoder zydis_;
};

}  // namespace ringshift::differential
