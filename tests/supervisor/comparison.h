// Comparison: runs a case on two machines and says where they differ: the state, and all memory.
#pragma once

#include <string>
#include <vector>

#include "tests/supervisor/generator.h"
#include "tests/supervisor/machine.h"

namespace ringshift::supervisor {

class Comparison {
 public:
  Comparison(Machine& expected, Machine& actual);

  // One line for each difference; empty if there is none. repeat: runs on `actual`, each from the same start.
  std::string differences(const Case& test, const differential::Sequence& sequence, unsigned repeat);
  // The shortest part of the sequence that still differs.
  differential::Sequence shrink(const Case& test, unsigned repeat);
  // How the sequences ended on `expected`: shows what the draw really reaches.
  std::string ends() const;

 private:
  static constexpr u32 kElsewhere = 256, kShutdown = 257, kEndless = 258, kEnds = 259;
  struct Outcome {
    ExitReason reason = ExitReason::failed;
    VcpuState state{};
  };

  std::vector<u8> image_of(const Case& test, u32 start, const std::vector<u8>& code);
  static Outcome run(Machine& machine, const Case& test, const std::vector<u8>& image);
  static u32 end_of(const Outcome& outcome);
  std::string compare(const Case& test, const Outcome& expected, const Outcome& actual) const;
  // looked_up: there may have been an SSE operand misaligned, or an x87 exception pending. Before the host's
  // CPU finds them a translator has looked up the operand's page: accessed and dirty bits may be set.
  std::string compare_memory(bool looked_up) const;

  Machine& expected_;
  Machine& actual_;
  std::vector<u8> images_[2][2];  // by PAE and Ending
  std::vector<u8> contents_[kArenaCount];
  u64 contents_seed_ = 0;
  bool filled_ = false;
  u64 ends_[kEnds] = {};
};

}  // namespace ringshift::supervisor
