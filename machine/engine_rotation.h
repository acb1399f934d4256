// EngineRotation: -engine-switch: the machine's engines in turn, by its clock; for tests.
#pragma once

#include "devices/clock.h"
#include "machine/engine_set.h"

namespace ringshift {

// The configuration's turns with their lengths in nanoseconds; a usage error if an engine isn't in the set,
// or instructions are to be counted without virtual time.
Result<std::vector<EngineTurn>> turns_in_ns(const MachineConfig& config);

class EngineRotation {
 public:
  EngineRotation(EngineSet& engines, std::vector<EngineTurn> turns, Clock& clock, RunControl& control);

  // The first turn begins.
  void start();
  // Between runs: hands over if the turn is over.
  void turn_if_due();

 private:
  void begin(std::size_t turn);

  EngineSet& engines_;
  std::vector<EngineTurn> turns_;
  Clock& clock_;
  std::size_t now_ = 0;
  bool due_ = false;
  Clock::Timer timer_;
};

}  // namespace ringshift
