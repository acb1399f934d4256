// Generator: from a seed and a number to one test case: code, registers, x87/SSE state, memory.
#pragma once

#include <vector>

#include "tests/differential/flat_machine.h"
#include "tests/differential/instruction_source.h"
#include "tests/differential/random.h"
#include "tests/differential/sequence.h"

namespace ringshift::differential {

struct TestCase {
  Sequence sequence;
  UserState state;
  u64 memory_seed = 0;  // contents of the data arenas
};

class Generator {
 public:
  // small_segments: every case runs in segments of the LDT's.
  Generator(const CpuidTable& cpuid, bool low_arena, bool small_segments)
      : source_(cpuid), low_arena_(low_arena), small_segments_(small_segments) {}
  TestCase generate(u64 seed, u64 number) const;

  using Place = InstructionSource::Place;
  struct Loop {
    u32 begin, end;  // items
  };
  // One more instruction, template or loop of user-level code.
  void append_user_code(Random& random, RegisterKnowledge& knowledge, const Place& place,
                        std::vector<Item>& items, std::vector<Loop>& loops) const;
  // Of the branches ahead: none leads beyond the end, and into a loop only through what bounds it.
  static void bound_targets(std::vector<Item>& items, const std::vector<Loop>& loops);

 private:
  Sequence draw_sequence(Random& random, UserState& state) const;
  void append_template(Random& random, RegisterKnowledge& knowledge, const Place& place,
                       std::vector<Item>& items) const;
  // The same in 16-bit code.
  void append_template16(Random& random, RegisterKnowledge& knowledge, const Place& place,
                         std::vector<Item>& items) const;
  Loop append_loop(Random& random, RegisterKnowledge& knowledge, const Place& place,
                   std::vector<Item>& items) const;

  InstructionSource source_;
  bool low_arena_;
  bool small_segments_;
};

// Fills an arena as a test case's memory seed says: numbers, floats and pointers mixed.
void fill_memory(u64 memory_seed, unsigned arena, std::vector<u8>& bytes);

}  // namespace ringshift::differential
