// Comparison: runs a test case on two runners and says where they differ.
#pragma once

#include <string>
#include <vector>

#include "tests/differential/flat_machine.h"
#include "tests/differential/generator.h"

namespace ringshift::differential {

class Comparison {
 public:
  Comparison(Runner& expected, Runner& actual, bool low_arena);

  // One line for each difference; empty if there is none. repeat: runs on `actual`, each from the same start,
  // so that an engine which caches what it has seen is tested in both states.
  std::string differences(const Sequence& sequence, const TestCase& test, unsigned repeat);
  // The shortest part of the sequence that still differs.
  Sequence shrink(const TestCase& test, unsigned repeat);

  // How the sequences ended on `expected`: shows what the draw really reaches.
  u64 stops(unsigned vector) const { return stops_[vector]; }
  u64 finished() const { return finished_; }
  // Sequences that go round for ever, and were not compared.
  u64 endless() const { return endless_; }

 private:
  void fill(Runner& runner);
  void write_code(const std::vector<u8>& code, u32 start);
  void prepare_memory(u64 seed);
  std::string compare(const RunResult& expected, const RunResult& actual, bool memory);
  std::string compare_memory();

  Runner& expected_;
  Runner& actual_;
  std::vector<unsigned> arenas_;  // writable
  std::vector<std::vector<u8>> contents_;
  u64 contents_seed_ = 0;
  bool filled_ = false;
  std::array<u64, 32> stops_{};
  u64 finished_ = 0;
  u64 endless_ = 0;
  u32 old_start_ = 0, old_length_ = 0;
};

std::string describe(const RunResult& result);

}  // namespace ringshift::differential
