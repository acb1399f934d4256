// InstructionSource: draws random user-level instructions that the CPU model under test has.
#pragma once

#include <optional>

#include "cpu-model/cpuid.h"
#include "cpu-model/instruction.h"
#include "tests/differential/random.h"
#include "tests/differential/sequence.h"
#include "tests/differential/zydis_decoding.h"

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
  // Where the code runs: addresses are made relative to the data segment.
  struct Place {
    bool low_arena = false;
    bool small = false;  // offsets in CS are small: 16-bit branches reach
    bool code16 = false;
    u32 data_base = 0;
  };
  Item draw(Random& random, RegisterKnowledge& knowledge, Limits limits, const Place& place) const;

 private:
  bool acceptable(Random& random, const u8* bytes, unsigned length, const ZydisDecoding& decoded,
                  Limits limits, bool code16) const;
  Decoder decoder_;
  ZydisDecoder zydis_[2];  // 32-bit code, 16-bit code
};

}  // namespace ringshift::differential
