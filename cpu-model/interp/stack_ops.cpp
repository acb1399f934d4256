// PUSH and POP in all their forms, ENTER and LEAVE.
#include <Zydis/Zydis.h>

#include "cpu-model/interp/handlers.h"
#include "cpu-model/interp/operands.h"
#include "cpu-model/stack.h"

namespace ringshift {

namespace {

// PUSH ESP stores the old ESP, and PUSH mem finds its operand with the old ESP: the value is read first.
Outcome<> push_operand(Cpu& cpu, const Instruction& insn) {
  const unsigned size = insn.operand_size;
  u32 value;
  if (insn.operands[0].kind == OperandKind::segment)
    value = cpu.state.seg[insn.operands[0].reg % kSegCount].selector;
  else if (size == 2)
    value = RS_TRY(read_operand<u16>(cpu, insn, 0));
  else
    value = RS_TRY(read_operand<u32>(cpu, insn, 0));
  return push(cpu, value, size);
}

// Of a 32-bit slot only the selector is looked at (SDM vol. 2B POP).
Outcome<> pop_segment(Cpu& cpu, const Instruction& insn) {
  const Seg segment = static_cast<Seg>(insn.operands[0].reg % kSegCount);
  if (segment == Seg::cs) return raise(Fault::ud());
  const u32 at = stack_pointer(cpu);
  const u16 selector = RS_TRY(read_memory<u16>(cpu, Seg::ss, at));
  // The stack pointer moves by the old stack's width, also when SS is what is loaded.
  const u32 mask = stack_mask(cpu);
  RS_TRY(load_segment(cpu, segment, selector));
  cpu.state.set_reg32(kEsp, (cpu.state.reg32(kEsp) & ~mask) | ((at + insn.operand_size) & mask));
  if (segment == Seg::ss) cpu.state.interrupt_shadow |= kShadowMovSs;
  return {};
}

// POP [ESP + n] finds its operand with the new ESP; POP ESP ends with the value popped.
Outcome<> pop_operand(Cpu& cpu, const Instruction& insn) {
  if (insn.operands[0].kind == OperandKind::segment) return pop_segment(cpu, insn);
  const u32 value = RS_TRY(pop(cpu, insn.operand_size));
  if (insn.operand_size == 2) return write_operand<u16>(cpu, insn, 0, static_cast<u16>(value));
  return write_operand<u32>(cpu, insn, 0, value);
}

Outcome<> push_all(Cpu& cpu, const Instruction& insn) {
  const u32 old_esp = cpu.state.reg32(kEsp);
  for (unsigned reg = kEax; reg <= kEdi; ++reg)
    RS_TRY(push(cpu, reg == kEsp ? old_esp : cpu.state.reg32(reg), insn.operand_size));
  return {};
}

Outcome<> pop_all(Cpu& cpu, const Instruction& insn) {
  for (int reg = kEdi; reg >= kEax; --reg) {
    const u32 value = RS_TRY(pop(cpu, insn.operand_size));
    if (reg == kEsp) continue;
    if (insn.operand_size == 2)
      cpu.state.set_reg16(static_cast<unsigned>(reg), static_cast<u16>(value));
    else
      cpu.state.set_reg32(static_cast<unsigned>(reg), value);
  }
  return {};
}

// Copies the frame pointers of the enclosing levels, then pushes this frame's own.
Outcome<> push_display(Cpu& cpu, unsigned level, unsigned size, u32 frame) {
  u32 from = cpu.state.reg32(kEbp);
  for (unsigned i = 1; i < level; ++i) {
    from = (from - size) & stack_mask(cpu);
    const u32 value = size == 4 ? RS_TRY(read_memory<u32>(cpu, Seg::ss, from))
                                : u32{RS_TRY(read_memory<u16>(cpu, Seg::ss, from))};
    RS_TRY(push(cpu, value, size));
  }
  return push(cpu, frame, size);
}

Outcome<> enter(Cpu& cpu, const Instruction& insn) {
  const unsigned size = insn.operand_size;
  const u32 locals = insn.immediate & 0xffff;
  const unsigned level = insn.immediate2 & 31;
  RS_TRY(push(cpu, cpu.state.reg32(kEbp), size));
  const u32 frame = cpu.state.reg32(kEsp);
  if (level > 0) RS_TRY(push_display(cpu, level, size, frame));
  set_stack_pointer(cpu, stack_pointer(cpu) - locals);
  // A write at the final stack pointer must be possible (SDM vol. 2A ENTER, #PF and #SS).
  RS_TRY(probe_memory(cpu, Seg::ss, stack_pointer(cpu), size));
  if (size == 2)
    cpu.state.set_reg16(kEbp, static_cast<u16>(frame));
  else
    cpu.state.set_reg32(kEbp, frame);
  return {};
}

Outcome<> leave(Cpu& cpu, const Instruction& insn) {
  set_stack_pointer(cpu, cpu.state.reg32(kEbp));
  const u32 value = RS_TRY(pop(cpu, insn.operand_size));
  if (insn.operand_size == 2)
    cpu.state.set_reg16(kEbp, static_cast<u16>(value));
  else
    cpu.state.set_reg32(kEbp, value);
  return {};
}

}  // namespace

void register_stack(HandlerTable& table) {
  table.set(ZYDIS_MNEMONIC_PUSH, push_operand);
  table.set(ZYDIS_MNEMONIC_POP, pop_operand);
  table.set(ZYDIS_MNEMONIC_PUSHA, push_all);
  table.set(ZYDIS_MNEMONIC_PUSHAD, push_all);
  table.set(ZYDIS_MNEMONIC_POPA, pop_all);
  table.set(ZYDIS_MNEMONIC_POPAD, pop_all);
  table.set(ZYDIS_MNEMONIC_ENTER, enter);
  table.set(ZYDIS_MNEMONIC_LEAVE, leave);
}

}  // namespace ringshift
