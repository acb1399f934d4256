// StepKind: what must be known of an instruction before KVM single-steps it.
#pragma once

#include <optional>

#include "cpu-model/cpu.h"
#include "cpu-model/instruction.h"

namespace ringshift {

// KVM steps by setting TF behind the guest's back (KVM_GUESTDBG_SINGLESTEP), so that what reads TF, sets it,
// or holds its trap off needs care; and no interrupt table is there meanwhile (counted_run.h).
enum class StepKind : u8 {
  plain,
  repeated,  // a string instruction with REP: the step is one element
  pushes_flags,
  loads_idtr,
  software_interrupt,  // INT n, INT3, INTO: it looks at the table, as a fault does
  // The CPU model's: single steps and breakpoints of the guest's own; MOV SS and STI, behind which the trap
  // may come an instruction late; flags with TF; task switches, which lose KVM's TF; what shows the table's
  // limit; time; debug registers; MSRs, which KVM sends to the model anyway; x87's last-instruction pointers.
  modelled,
};

// `insn`: at CS:EIP; none: it can't be read or decoded.
StepKind step_kind(const Cpu& cpu, const std::optional<Instruction>& insn);

// The instruction at CS:EIP, read without a trace in the guest.
std::optional<Instruction> peek_instruction(const Cpu& cpu, const Decoder& decoder);

}  // namespace ringshift
