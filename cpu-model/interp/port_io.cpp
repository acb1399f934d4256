// IN and OUT. (INS and OUTS stand with the strings.)
#include <Zydis/Zydis.h>

#include "cpu-model/control_registers.h"
#include "cpu-model/eflags.h"
#include "cpu-model/interp/handlers.h"
#include "cpu-model/interp/operands.h"

namespace ringshift {

namespace {

// DX, or an immediate byte.
u16 port_number(const Cpu& cpu, const Operand& operand, const Instruction& insn) {
  return operand.kind == OperandKind::immediate ? static_cast<u16>(insn.immediate & 0xff)
                                                : cpu.state.reg16(kEdx);
}

// I/O breakpoints are traps: they are raised after the instruction.
void note_io_breakpoints(Cpu& cpu, u16 port, unsigned size) {
  if (breakpoints_armed(cpu)) [[unlikely]]
    cpu.state.pending_dr6 |= match_io_breakpoints(cpu, port, size);
}

Outcome<> in(Cpu& cpu, const Instruction& insn) {
  const unsigned size = insn.operands[0].bytes;
  const u16 port = port_number(cpu, insn.operands[1], insn);
  RS_TRY(check_port_permission(cpu, port, size));
  note_io_breakpoints(cpu, port, size);
  const u32 value = cpu.io->port_in(port, size);
  switch (size) {
    case 1:
      cpu.state.set_reg8(kEax, static_cast<u8>(value));
      break;
    case 2:
      cpu.state.set_reg16(kEax, static_cast<u16>(value));
      break;
    default:
      cpu.state.set_reg32(kEax, value);
      break;
  }
  return {};
}

Outcome<> out(Cpu& cpu, const Instruction& insn) {
  const unsigned size = insn.operands[1].bytes;
  const u16 port = port_number(cpu, insn.operands[0], insn);
  RS_TRY(check_port_permission(cpu, port, size));
  note_io_breakpoints(cpu, port, size);
  const u32 mask = size == 4 ? ~0u : (1u << (size * 8)) - 1;
  cpu.io->port_out(port, size, cpu.state.reg32(kEax) & mask);
  return {};
}

}  // namespace

void register_port_io(HandlerTable& table) {
  table.set(ZYDIS_MNEMONIC_IN, in);
  table.set(ZYDIS_MNEMONIC_OUT, out);
}

}  // namespace ringshift
