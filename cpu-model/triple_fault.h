// The report that is printed when the guest triple-faults, in words.
#pragma once

#include <string>

#include "cpu-model/cpu.h"

namespace ringshift {

// The chain of exceptions, registers, the bad descriptor or page-table entry, code around EIP, a likely
// cause.
std::string describe_triple_fault(const Cpu& cpu);
// Registers and hidden parts, several lines, like QEMU's cpu_reset dump.
std::string describe_state(const VcpuState& state);

}  // namespace ringshift
