// What x87, MMX and SSE instructions share: may they run, the host context, FERR#, operands of any size.
#pragma once

#include "cpu-model/cpu.h"
#include "cpu-model/instruction.h"
#include "cpu-model/interp/fx_image.h"
#include "cpu-model/interp/host_code.h"
#include "cpu-model/memory_access.h"

namespace ringshift {

// #NM if CR0.EM or CR0.TS: all x87 instructions (SDM vol. 3A table 2-2).
Outcome<> require_x87(const Cpu& cpu);
// And, for waiting instructions: an unmasked exception that is pending is #MF, or FERR# with CR0.NE = 0; then
// the instruction goes on, as if IGNNE# were asserted.
Outcome<> require_x87_waiting(Cpu& cpu);
// That part by itself. FERR# comes with the next waiting instruction, not with the one that fails (SDM vol. 1
// D.2.1.2): translated code finds out then.
Outcome<> report_x87(Cpu& cpu);
// #UD if CR0.EM, #NM if CR0.TS, #MF.
Outcome<> require_mmx(Cpu& cpu);
// #UD if CR0.EM or not CR4.OSFXSR, #NM if CR0.TS.
Outcome<> require_sse(const Cpu& cpu);

// After FCW or FSW changed: ES and B; and FERR# goes down if nothing pends any more.
void settle_x87(Cpu& cpu);

// General registers and flags to and from a context; x87, MMX and SSE are the caller's.
void load_context(const Cpu& cpu, HostContext& context);
void commit_registers(Cpu& cpu, const HostContext& context);
void run_on_host(Cpu& cpu, const Instruction& insn, HostContext& context);

// Linear address of the memory operand of `size` bytes, checked; #AC, where it is on, unless a multiple of
// `alignment`.
Outcome<Gva> data_address(Cpu& cpu, const Instruction& insn, u32 size, AccessKind kind, u32 alignment);
// #GP unless it is a multiple of 16.
Outcome<Gva> aligned_address(Cpu& cpu, const Instruction& insn, u32 size, AccessKind kind);
Outcome<> read_data(Cpu& cpu, Gva gva, void* out, u32 size);
Outcome<> write_data(Cpu& cpu, Gva gva, const void* data, u32 size);

}  // namespace ringshift
