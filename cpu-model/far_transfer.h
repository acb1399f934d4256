// Far JMP, CALL and RET, and IRET (SDM vol. 3A 5.8; vol. 2). SYSENTER: cpu-model/sysenter.h.
//
// Each takes EIP as already moved past the instruction (it is the return address), changes state only if it
// succeeds, and returns a Fault otherwise. Task gates and TSS selectors switch tasks.
#pragma once

#include "cpu-model/cpu.h"

namespace ringshift {

// operand_size: 2 or 4 bytes.
Outcome<> far_jump(Cpu& cpu, u16 selector, u32 offset, unsigned operand_size);
Outcome<> far_call(Cpu& cpu, u16 selector, u32 offset, unsigned operand_size);
// release: bytes of parameters to drop (RETF imm16).
Outcome<> far_return(Cpu& cpu, unsigned operand_size, u16 release);
// Clears the NMI mask. In v8086 mode needs IOPL 3 (or VME).
Outcome<> interrupt_return(Cpu& cpu, unsigned operand_size);

// A near transfer's target: #GP(0) beyond the CS limit, else sets EIP.
Outcome<> near_jump(Cpu& cpu, u32 offset);

}  // namespace ringshift
