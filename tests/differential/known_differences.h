// Known differences: what the architecture leaves open where an instruction faults, and hosts do differently.
#pragma once

#include <span>

#include "tests/differential/flat_machine.h"

namespace ringshift::differential {

struct Ignored {
  bool registers = false;  // general registers other than ESP
  bool fx = false;
  bool address = false;    // CR2 and error code
  bool precision = false;  // MXCSR.PE
  bool all = false;        // the state; memory is as it was
  bool memory = false;     // one went on where the other stopped
};

// code: the bytes of the code arena. expected: the host's result.
Ignored known_difference(std::span<const u8> code, const RunResult& expected, const RunResult& actual);

}  // namespace ringshift::differential
