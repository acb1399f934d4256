// The table from mnemonic to handler; each family of instructions registers its own.
//
// A handler executes one instruction. EIP has been moved past it already. It may change state in any order
// and still fail: the interpreter puts general registers, EIP and EFLAGS back when a Fault comes out, and
// only those, so memory, segment and x87/SSE state must change last, after all that can fault. Handlers that
// make partial progress (REP) commit it with commit_progress() and end an unfinished round with repeat().
#pragma once

#include "cpu-model/cpu.h"
#include "cpu-model/instruction.h"
#include "cpu-model/outcome.h"

namespace ringshift {

using Handler = Outcome<> (*)(Cpu& cpu, const Instruction& insn);

// Indexed by ZydisMnemonic; kHandlerCount entries. Null: #UD.
inline constexpr unsigned kHandlerCount = 2048;
struct HandlerTable {
  Handler by_mnemonic[kHandlerCount] = {};
  void set(unsigned mnemonic, Handler handler) { by_mnemonic[mnemonic] = handler; }
};

// REP instructions. After each element (or run of elements) that is done for good, registers included,
// commit_progress() makes the registers as they now are what a later Fault goes back to.
inline void commit_progress(Cpu& cpu) {
  for (unsigned i = 0; i < 8; ++i) cpu.restart.gpr[i] = cpu.state.gpr[i];
  cpu.restart.rflags = cpu.state.rflags;
}
// `return repeat(cpu);` ends a round with elements left: the same instruction is executed again, after events
// were looked at. Registers must be those of the progress made.
inline Outcome<> repeat(Cpu& cpu) {
  cpu.state.rip = cpu.restart.rip;
  cpu.restart.again = true;
  return {};
}
// How many elements one round may do: one under single-step, which traps after each (SDM vol. 3B 17.3.1.4).
inline u32 elements_per_round(const Cpu& cpu) {
  return (cpu.state.rflags & kFlagTf) != 0 ? 1 : cpu.rep_round;
}

// Each in interp/<family>.cpp.
void register_integer(HandlerTable& table);       // ADD..CMP, TEST, INC, DEC, NEG, NOT
void register_moves(HandlerTable& table);         // MOV, MOVZX, LEA, CMOV, SET, BSWAP, MOVBE, NOP
void register_exchanges(HandlerTable& table);     // XCHG, XADD, CMPXCHG, CMPXCHG8B
void register_flags(HandlerTable& table);         // LAHF, SAHF, CLC .. STI, PUSHF, POPF
void register_shifts(HandlerTable& table);        // SHL..RCR, SHLD, SHRD, BT*, BSF, BSR, POPCNT
void register_multiply(HandlerTable& table);      // MUL, IMUL, DIV, IDIV, CBW.., BCD
void register_stack(HandlerTable& table);         // PUSH*, POP*, ENTER, LEAVE
void register_control_flow(HandlerTable& table);  // Jcc, JMP, CALL, RET, LOOP, INT, IRET, SYSENTER, BOUND
void register_strings(HandlerTable& table);       // MOVS.. with REP, INS, OUTS, XLAT
void register_system(HandlerTable& table);        // CRs, DRs, LGDT.., HLT, CPUID, MSR
void register_segments(HandlerTable& table);  // MOV/LxS of segment registers, LLDT, LTR, LAR, VERR, ARPL..
void register_port_io(HandlerTable& table);   // IN, OUT
void register_x87(HandlerTable& table);
void register_sse(HandlerTable& table);  // MMX, SSE to SSE4.2, AES, FXSAVE, LDMXCSR, prefetch, fences

const HandlerTable& handler_table();

}  // namespace ringshift
