// The parts of the MMX and SSE family, and its one handler that other families share a mnemonic with.
#pragma once

#include "cpu-model/interp/handlers.h"

namespace ringshift {

// Any data-processing instruction of MMX or SSE. Zydis names SSE2's MOVSD and CMPSD as the string ones.
Outcome<> vector_instruction(Cpu& cpu, const Instruction& insn);

// FXSAVE, FXRSTOR, MXCSR, masked and non-temporal stores, cache hints and fences, CRC32.
void register_sse_memory(HandlerTable& table);

}  // namespace ringshift
