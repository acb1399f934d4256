// Translations of PUSH, POP and LEAVE: the store or load first, then ESP, so that each can restart.
#include <cstddef>

#include "translator/translate.h"

namespace ringshift::bt {

using namespace asmjit::x86;  // NOLINT: register names

namespace {

// ss:[esp + displacement], as an instruction's memory operand.
Instruction stack_slot(i32 displacement) {
  Instruction slot;
  slot.segment = Seg::ss;
  slot.base = kEsp;
  slot.displacement = displacement;
  return slot;
}

}  // namespace

Mem stack_top(Emitter& emitter) { return emitter.memory(stack_slot(0), Access::read, 4); }

void push_register(Emitter& emitter, Gp value) {
  const Mem top = emitter.memory(stack_slot(-4), Access::write, 4);
  emitter.as().mov(top, value.r32());
  emitter.as().lea(esp, ptr(rsp, -4));
}

void push_immediate(Emitter& emitter, u32 value) {
  const Mem top = emitter.memory(stack_slot(-4), Access::write, 4);
  emitter.as().mov(top, value);
  emitter.as().lea(esp, ptr(rsp, -4));
}

void translate_push(Emitter& emitter, const GuestInstruction& guest) {
  const Instruction& insn = guest.insn;
  const Operand& operand = insn.operands[0];
  emitter.begin_memory();
  if (operand.kind == OperandKind::immediate) return push_immediate(emitter, insn.immediate);
  if (operand.kind == OperandKind::gpr32) return push_register(emitter, gpd(operand.reg));
  const Mem source = emitter.memory(insn, Access::read, 4);
  emitter.as().mov(r11d, source);
  push_register(emitter, r11);
}

void translate_pop(Emitter& emitter, const GuestInstruction& guest) {
  const Instruction& insn = guest.insn;
  const Operand& operand = insn.operands[0];
  emitter.begin_memory();
  const Mem top = stack_top(emitter);
  if (operand.kind == OperandKind::gpr32) {
    emitter.as().mov(gpd(operand.reg), top);
    if (operand.reg != kEsp) emitter.as().lea(esp, ptr(rsp, 4));
    return;
  }
  emitter.as().mov(r11d, top);
  // An ESP base counts after the increment (SDM vol. 2B POP).
  const Mem target = emitter.memory(insn, Access::write, 4, 4);
  emitter.as().mov(target, r11d);
  emitter.as().lea(esp, ptr(rsp, 4));
}

// r12 holds the arithmetic flags as LAHF and SETO give them; the others are in VcpuState. VM and RF are
// pushed clear (SDM vol. 2B PUSHF).
void translate_push_flags(Emitter& emitter) {
  auto& as = emitter.as();
  emitter.protect_flags();
  emitter.begin_memory();
  as.mov(r11d, r12d);
  as.shr(r11d, 8);
  as.and_(r11d, kFlagSf | kFlagZf | kFlagAf | kFlagPf | kFlagCf);
  as.mov(r9d, r12d);
  as.and_(r9d, 1);
  as.shl(r9d, 11);  // OF
  as.or_(r11d, r9d);
  as.mov(r9d, ptr(r13, static_cast<i32>(offsetof(VcpuState, rflags)), 4));
  as.and_(r9d, ~(kArithmeticFlags | kFlagVm | kFlagRf));
  as.or_(r11d, r9d);
  push_register(emitter, r11);
}

// The selector, zero-extended.
void translate_push_segment(Emitter& emitter, const GuestInstruction& guest) {
  const std::size_t selector = offsetof(VcpuState, seg) +
                               guest.insn.operands[0].reg * sizeof(SegmentRegister) +
                               offsetof(SegmentRegister, selector);
  emitter.begin_memory();
  emitter.as().movzx(r11d, ptr(r13, static_cast<i32>(selector), 2));
  push_register(emitter, r11);
}

void translate_leave(Emitter& emitter, const GuestInstruction&) {
  Instruction frame;
  frame.segment = Seg::ss;
  frame.base = kEbp;
  emitter.begin_memory();
  const Mem saved = emitter.memory(frame, Access::read, 4);
  emitter.as().mov(r11d, saved);
  emitter.as().lea(esp, ptr(rbp, 4));
  emitter.as().mov(ebp, r11d);
}

}  // namespace ringshift::bt
