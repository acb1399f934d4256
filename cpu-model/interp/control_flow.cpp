// Transfers of control: Jcc, JMP, CALL, RET, LOOP, INT, IRET, BOUND, SYSENTER, SYSEXIT.
#include <Zydis/Zydis.h>

#include "cpu-model/exceptions.h"
#include "cpu-model/far_transfer.h"
#include "cpu-model/interp/alu.h"
#include "cpu-model/interp/handlers.h"
#include "cpu-model/interp/operands.h"
#include "cpu-model/stack.h"
#include "cpu-model/sysenter.h"

namespace ringshift {

namespace {

// A target with a 16-bit operand size is an IP.
u32 truncated(const Instruction& insn, u32 target) {
  return insn.operand_size == 2 ? target & 0xffff : target;
}

Outcome<> check_target(const Cpu& cpu, u32 target) {
  if (target > cpu.state.segment(Seg::cs).limit) [[unlikely]]
    return raise(Fault::gp());
  return {};
}

Outcome<> jump_to(Cpu& cpu, u32 target) {
  RS_TRY(check_target(cpu, target));
  cpu.state.rip = target;
  return {};
}

Outcome<> jump_relative(Cpu& cpu, const Instruction& insn) {
  return jump_to(cpu, truncated(insn, cpu.state.eip() + insn.immediate));
}

Outcome<> jump_if(Cpu& cpu, const Instruction& insn) {
  return condition_holds(cpu.state, insn.opcode & 15) ? jump_relative(cpu, insn) : Outcome<>{};
}

Outcome<u32> read_near_target(Cpu& cpu, const Instruction& insn) {
  if (insn.operands[0].kind == OperandKind::relative)
    return truncated(insn, cpu.state.eip() + insn.immediate);
  if (insn.operand_size == 2) return u32{RS_TRY(read_operand<u16>(cpu, insn, 0))};
  return read_operand<u32>(cpu, insn, 0);
}

struct FarPointer {
  u16 selector;
  u32 offset;
};

// Of a pointer in the code, or m16:16 / m16:32.
Outcome<FarPointer> read_far_pointer(Cpu& cpu, const Instruction& insn) {
  if (insn.operands[0].kind == OperandKind::far_pointer)
    return FarPointer{static_cast<u16>(insn.immediate2), truncated(insn, insn.immediate)};
  const u32 offset = insn.operand_size == 2 ? u32{RS_TRY(read_memory_operand<u16>(cpu, insn))}
                                            : RS_TRY(read_memory_operand<u32>(cpu, insn));
  return FarPointer{RS_TRY(read_memory_operand<u16>(cpu, insn, insn.operand_size)), offset};
}

// FF /3 and /5 are the far forms, beside 9A and EA.
bool is_far(const Instruction& insn) {
  if (insn.operands[0].kind == OperandKind::far_pointer) return true;
  return insn.opcode == 0xff && (insn.modrm_reg() == 3 || insn.modrm_reg() == 5);
}

Outcome<> jump(Cpu& cpu, const Instruction& insn) {
  if (is_far(insn)) {
    const FarPointer target = RS_TRY(read_far_pointer(cpu, insn));
    return far_jump(cpu, target.selector, target.offset, insn.operand_size);
  }
  return jump_to(cpu, RS_TRY(read_near_target(cpu, insn)));
}

Outcome<> call(Cpu& cpu, const Instruction& insn) {
  if (is_far(insn)) {
    const FarPointer target = RS_TRY(read_far_pointer(cpu, insn));
    return far_call(cpu, target.selector, target.offset, insn.operand_size);
  }
  const u32 target = RS_TRY(read_near_target(cpu, insn));
  RS_TRY(check_target(cpu, target));
  RS_TRY(push(cpu, cpu.state.eip(), insn.operand_size));
  cpu.state.rip = target;
  return {};
}

Outcome<> return_(Cpu& cpu, const Instruction& insn) {
  const bool has_release = insn.opcode == 0xc2 || insn.opcode == 0xca;
  const u16 release = has_release ? static_cast<u16>(insn.immediate) : u16{0};
  if (insn.opcode == 0xca || insn.opcode == 0xcb) return far_return(cpu, insn.operand_size, release);
  const u32 target = RS_TRY(pop(cpu, insn.operand_size));
  RS_TRY(jump_to(cpu, target));
  if (has_release) set_stack_pointer(cpu, stack_pointer(cpu) + release);
  return {};
}

// CX or ECX, by the address size.
u32 counter(const Cpu& cpu, const Instruction& insn) {
  return insn.address_size == 2 ? cpu.state.reg16(kEcx) : cpu.state.reg32(kEcx);
}

// kZf: -1 for LOOP, else the ZF that LOOPE (1) and LOOPNE (0) go on with.
template <int kZf>
Outcome<> loop(Cpu& cpu, const Instruction& insn) {
  const u32 count = counter(cpu, insn) - 1;
  if (insn.address_size == 2)
    cpu.state.set_reg16(kEcx, static_cast<u16>(count));
  else
    cpu.state.set_reg32(kEcx, count);
  if (counter(cpu, insn) == 0) return {};
  if (kZf >= 0 && flag(cpu.state, kFlagZf) != (kZf == 1)) return {};
  return jump_relative(cpu, insn);
}

Outcome<> jump_if_counter_zero(Cpu& cpu, const Instruction& insn) {
  return counter(cpu, insn) == 0 ? jump_relative(cpu, insn) : Outcome<>{};
}

Outcome<> int_n(Cpu& cpu, const Instruction& insn) {
  return software_interrupt(cpu, static_cast<u8>(insn.immediate), SoftwareInterrupt::int_n);
}
Outcome<> int3(Cpu& cpu, const Instruction&) {
  return software_interrupt(cpu, static_cast<u8>(Vector::breakpoint), SoftwareInterrupt::int3);
}
Outcome<> int1(Cpu& cpu, const Instruction&) {
  return software_interrupt(cpu, static_cast<u8>(Vector::debug), SoftwareInterrupt::int1);
}
Outcome<> into(Cpu& cpu, const Instruction&) {
  if (!flag(cpu.state, kFlagOf)) return {};
  return software_interrupt(cpu, static_cast<u8>(Vector::overflow), SoftwareInterrupt::into);
}

Outcome<> iret(Cpu& cpu, const Instruction& insn) {
  RS_TRY(interrupt_return(cpu, insn.operand_size));
  // The NMI mask has ended.
  if (cpu.state.nmi_pending != 0) cpu.control.raise_event(kEventInspect);
  return {};
}

template <class T>
Outcome<> check_bounds(Cpu& cpu, const Instruction& insn) {
  const T lower = RS_TRY(read_memory_operand<T>(cpu, insn));
  const T upper = RS_TRY(read_memory_operand<T>(cpu, insn, sizeof(T)));
  const T index = read_register<T>(cpu.state, insn.operands[0].reg & 7);
  if (index < lower || index > upper) return raise(Fault::br());
  return {};
}
Outcome<> bound(Cpu& cpu, const Instruction& insn) {
  return insn.operand_size == 2 ? check_bounds<i16>(cpu, insn) : check_bounds<i32>(cpu, insn);
}

Outcome<> enter_system(Cpu& cpu, const Instruction&) { return sysenter(cpu); }
Outcome<> exit_system(Cpu& cpu, const Instruction&) { return sysexit(cpu); }

constexpr unsigned kConditionalJumps[] = {
    ZYDIS_MNEMONIC_JO, ZYDIS_MNEMONIC_JNO, ZYDIS_MNEMONIC_JB,  ZYDIS_MNEMONIC_JNB,
    ZYDIS_MNEMONIC_JZ, ZYDIS_MNEMONIC_JNZ, ZYDIS_MNEMONIC_JBE, ZYDIS_MNEMONIC_JNBE,
    ZYDIS_MNEMONIC_JS, ZYDIS_MNEMONIC_JNS, ZYDIS_MNEMONIC_JP,  ZYDIS_MNEMONIC_JNP,
    ZYDIS_MNEMONIC_JL, ZYDIS_MNEMONIC_JNL, ZYDIS_MNEMONIC_JLE, ZYDIS_MNEMONIC_JNLE};

}  // namespace

void register_control_flow(HandlerTable& table) {
  for (const unsigned mnemonic : kConditionalJumps) table.set(mnemonic, jump_if);
  table.set(ZYDIS_MNEMONIC_JMP, jump);
  table.set(ZYDIS_MNEMONIC_CALL, call);
  table.set(ZYDIS_MNEMONIC_RET, return_);
  table.set(ZYDIS_MNEMONIC_LOOP, loop<-1>);
  table.set(ZYDIS_MNEMONIC_LOOPE, loop<1>);
  table.set(ZYDIS_MNEMONIC_LOOPNE, loop<0>);
  table.set(ZYDIS_MNEMONIC_JCXZ, jump_if_counter_zero);
  table.set(ZYDIS_MNEMONIC_JECXZ, jump_if_counter_zero);
  table.set(ZYDIS_MNEMONIC_INT, int_n);
  table.set(ZYDIS_MNEMONIC_INT3, int3);
  table.set(ZYDIS_MNEMONIC_INT1, int1);
  table.set(ZYDIS_MNEMONIC_INTO, into);
  table.set(ZYDIS_MNEMONIC_IRET, iret);
  table.set(ZYDIS_MNEMONIC_IRETD, iret);
  table.set(ZYDIS_MNEMONIC_BOUND, bound);
  table.set(ZYDIS_MNEMONIC_SYSENTER, enter_system);
  table.set(ZYDIS_MNEMONIC_SYSEXIT, exit_system);
}

}  // namespace ringshift
