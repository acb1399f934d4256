// Translations of PUSH, POP and LEAVE: the store or load first, then (E)SP, so that each can restart.
#include <cstddef>

#include "translator/translate.h"

namespace ringshift::bt {

using namespace asmjit::x86;  // NOLINT: register names

namespace {

u8 stack_address_size(const Emitter& emitter) { return emitter.mode().stack16() ? 2 : 4; }

}  // namespace

// ss:[(e)sp + displacement], as an instruction's memory operand.
Instruction stack_slot(const Emitter& emitter, i32 displacement) {
  Instruction slot;
  slot.segment = Seg::ss;
  slot.base = kEsp;
  slot.displacement = displacement;
  slot.address_size = stack_address_size(emitter);
  return slot;
}

Mem stack_top(Emitter& emitter, u32 size) {
  return emitter.memory(stack_slot(emitter, 0), Access::read, size);
}

// Of a 16-bit stack, SP wraps and the upper half of ESP stays (SDM vol. 1 6.2.3).
void move_stack_pointer(Emitter& emitter, u8 from, i32 by) {
  auto& as = emitter.as();
  const Emitter::Because because(emitter, EmissionReason::stack_pointer);
  if (!emitter.mode().stack16()) {
    as.lea(esp, ptr(gpq(from), by));
  } else {
    as.lea(r9d, ptr(gpq(from), by));
    as.mov(sp, r9w);
  }
}

void push_register(Emitter& emitter, Gp value, u32 size) {
  const Emitter::Because because(emitter, EmissionReason::stack_store);
  const Mem top = emitter.memory(stack_slot(emitter, -static_cast<i32>(size)), Access::write, size);
  emitter.as().mov(top, sized(value, size));
  move_stack_pointer(emitter, kEsp, -static_cast<i32>(size));
}

void push_immediate(Emitter& emitter, u32 value, u32 size) {
  const Emitter::Because because(emitter, EmissionReason::stack_store);
  const Mem top = emitter.memory(stack_slot(emitter, -static_cast<i32>(size)), Access::write, size);
  emitter.as().mov(top, size == 2 ? value & 0xffff : value);
  move_stack_pointer(emitter, kEsp, -static_cast<i32>(size));
}

void push_eip(Emitter& emitter, u32 eip, u32 size) {
  const Emitter::Because because(emitter, EmissionReason::return_address);
  if (size == 2) return push_immediate(emitter, eip, size);
  const Mem top = emitter.memory(stack_slot(emitter, -4), Access::write, 4);
  emitter.load_eip(r10, eip);
  emitter.as().mov(top, r10d);
  move_stack_pointer(emitter, kEsp, -4);
}

namespace {
// The operand itself into r11, by a load that the guest's instruction has too.
void copy_from_memory(Emitter& emitter, const Instruction& insn, u32 size) {
  const Emitter::Because because(emitter, emitter.window() ? EmissionReason::window : EmissionReason::ram);
  const Mem source = emitter.memory(insn, Access::read, size);
  emitter.as().mov(sized(r11, size), source);
}
}  // namespace

void translate_push(Emitter& emitter, const GuestInstruction& guest) {
  const Instruction& insn = guest.insn;
  const Operand& operand = insn.operands[0];
  const u32 size = insn.operand_size;
  emitter.begin_memory();
  if (emitter.live_immediate()) {
    emitter.load_live(r11, kLiveImmediate);
    return push_register(emitter, r11, size);
  }
  if (operand.kind == OperandKind::immediate) return push_immediate(emitter, insn.immediate, size);
  if (operand.kind != OperandKind::memory) return push_register(emitter, gpd(operand.reg), size);
  copy_from_memory(emitter, insn, size);
  push_register(emitter, r11, size);
}

void translate_pop(Emitter& emitter, const GuestInstruction& guest) {
  const Instruction& insn = guest.insn;
  const Operand& operand = insn.operands[0];
  const u32 size = insn.operand_size;
  emitter.begin_memory();
  const Emitter::Because because(emitter, EmissionReason::stack_load);
  const Mem top = stack_top(emitter, size);
  if (operand.kind != OperandKind::memory) {
    emitter.as().mov(sized(gpd(operand.reg), size), top);
    if (operand.reg != kEsp) move_stack_pointer(emitter, kEsp, static_cast<i32>(size));
    return;
  }
  emitter.as().mov(sized(r11, size), top);
  // An ESP base counts after the increment (SDM vol. 2B POP).
  const Mem target = emitter.memory(insn, Access::write, size, static_cast<i32>(size));
  emitter.as().mov(target, sized(r11, size));
  move_stack_pointer(emitter, kEsp, static_cast<i32>(size));
}

namespace {
constexpr u8 kPushOrder[] = {kEax, kEcx, kEdx, kEbx, kEsp, kEbp, kEsi, kEdi};
}

// Each store can be done again: ESP moves last.
void translate_push_all(Emitter& emitter) {
  const Emitter::Because because(emitter, EmissionReason::stack_store);
  i32 at = 0;
  for (const u8 reg : kPushOrder)
    emitter.as().mov(emitter.memory(stack_slot(emitter, at -= 4), Access::write, 4), gpd(reg));
  move_stack_pointer(emitter, kEsp, at);
}

// The ends are read first: no fault comes after a register has changed.
void translate_pop_all(Emitter& emitter) {
  const Emitter::Because because(emitter, EmissionReason::stack_load);
  constexpr i32 kLast = 28;
  auto& as = emitter.as();
  for (const i32 end : {0, kLast}) as.mov(r8d, emitter.memory(stack_slot(emitter, end), Access::read, 4));
  i32 at = kLast;
  for (const u8 reg : kPushOrder) {
    if (reg != kEsp) as.mov(gpd(reg), emitter.memory(stack_slot(emitter, at), Access::read, 4));
    at -= 4;
  }
  move_stack_pointer(emitter, kEsp, kLast + 4);
}

// r12 holds the arithmetic flags as LAHF and SETO give them; the others are in VcpuState. VM and RF are
// pushed clear (SDM vol. 2B PUSHF).
void translate_push_flags(Emitter& emitter, const GuestInstruction& guest) {
  auto& as = emitter.as();
  emitter.protect_flags();
  emitter.begin_memory();
  const Emitter::Because because(emitter, EmissionReason::compose_flags);
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
  push_register(emitter, r11, guest.insn.operand_size);
}

// The selector, zero-extended.
void translate_push_segment(Emitter& emitter, const GuestInstruction& guest) {
  const std::size_t selector = offsetof(VcpuState, seg) +
                               guest.insn.operands[0].reg * sizeof(SegmentRegister) +
                               offsetof(SegmentRegister, selector);
  emitter.begin_memory();
  const Emitter::Because because(emitter, EmissionReason::push_selector);
  emitter.as().movzx(r11d, ptr(r13, static_cast<i32>(selector), 2));
  push_register(emitter, r11, guest.insn.operand_size);
}

void translate_leave(Emitter& emitter, const GuestInstruction& guest) {
  const u32 size = guest.insn.operand_size;
  Instruction frame = stack_slot(emitter, 0);
  frame.base = kEbp;
  emitter.begin_memory();
  const Emitter::Because because(emitter, EmissionReason::stack_load);
  const Mem saved = emitter.memory(frame, Access::read, size);
  emitter.as().mov(sized(r8, size), saved);  // r11 may be a shared lookup's
  move_stack_pointer(emitter, kEbp, static_cast<i32>(size));
  emitter.as().mov(sized(rbp, size), sized(r8, size));
}

}  // namespace ringshift::bt
