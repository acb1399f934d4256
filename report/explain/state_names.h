// Names of what emitted code reaches through r13 and r15: "[r13 + 0x90]" is cpu.rflags.
#pragma once

#include <string>

namespace ringshift {

// operands: as the disassembler writes them.
std::string with_state_names(std::string operands);

}  // namespace ringshift
