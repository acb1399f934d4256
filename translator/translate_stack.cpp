// Translations of PUSH, POP and LEAVE: the store or load first, then ESP, so that each can restart.
#include "translator/translate.h"

namespace ringshift::bt {

using namespace asmjit::x86;  // NOLINT: register names

namespace {

// r8d = linear address of ss:[esp + displacement].
void load_stack_address(Emitter& emitter, i32 displacement) {
  Instruction slot;
  slot.segment = Seg::ss;
  slot.base = kEsp;
  slot.displacement = displacement;
  emitter.load_address(r8, slot);
}

}  // namespace

void push_register(Emitter& emitter, Gp value) {
  load_stack_address(emitter, -4);
  emitter.lookup(Access::write, 4);
  emitter.as().mov(Emitter::host_operand(4), value.r32());
  emitter.as().lea(esp, ptr(rsp, -4));
}

void push_immediate(Emitter& emitter, u32 value) {
  load_stack_address(emitter, -4);
  emitter.lookup(Access::write, 4);
  emitter.as().mov(Emitter::host_operand(4), value);
  emitter.as().lea(esp, ptr(rsp, -4));
}

void translate_push(Emitter& emitter, const GuestInstruction& guest) {
  const Instruction& insn = guest.insn;
  const Operand& operand = insn.operands[0];
  emitter.begin_memory();
  if (operand.kind == OperandKind::immediate) return push_immediate(emitter, insn.immediate);
  if (operand.kind == OperandKind::gpr32) return push_register(emitter, gpd(operand.reg));
  emitter.load_address(r8, insn);
  emitter.lookup(Access::read, 4);
  emitter.as().mov(r11d, Emitter::host_operand(4));
  push_register(emitter, r11);
}

void translate_pop(Emitter& emitter, const GuestInstruction& guest) {
  const Instruction& insn = guest.insn;
  const Operand& operand = insn.operands[0];
  emitter.begin_memory();
  load_stack_address(emitter, 0);
  emitter.lookup(Access::read, 4);
  if (operand.kind == OperandKind::gpr32) {
    emitter.as().mov(gpd(operand.reg), Emitter::host_operand(4));
    if (operand.reg != kEsp) emitter.as().lea(esp, ptr(rsp, 4));
    return;
  }
  emitter.as().mov(r11d, Emitter::host_operand(4));
  emitter.load_address(r8, insn, 4);  // an ESP base counts after the increment (SDM vol. 2B POP)
  emitter.lookup(Access::write, 4);
  emitter.as().mov(Emitter::host_operand(4), r11d);
  emitter.as().lea(esp, ptr(rsp, 4));
}

void translate_leave(Emitter& emitter, const GuestInstruction&) {
  Instruction frame;
  frame.segment = Seg::ss;
  frame.base = kEbp;
  emitter.begin_memory();
  emitter.load_address(r8, frame);
  emitter.lookup(Access::read, 4);
  emitter.as().mov(r11d, Emitter::host_operand(4));
  emitter.as().lea(esp, ptr(rbp, 4));
  emitter.as().mov(ebp, r11d);
}

}  // namespace ringshift::bt
