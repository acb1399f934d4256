// Sorting instructions for single-stepping.
#include "hw-accel-kvm/step_kind.h"

#include <Zydis/Zydis.h>

#include <cstring>

#include "cpu-model/code_mode.h"
#include "cpu-model/control_registers.h"
#include "cpu-model/effective_address.h"
#include "cpu-model/guest_peek.h"

namespace ringshift {

namespace {

constexpr u32 kLinearAddressLeaf = 0x80000008;  // KVM can't show the machine's (docs/kvm.md)

u32 stack_address(const Cpu& cpu, u32 offset) {
  const u32 mask = cpu.stack32() ? 0xffffffffu : 0xffffu;
  const u32 esp = cpu.state.reg32(kEsp) & mask;
  return static_cast<u32>(cpu.state.segment(Seg::ss).base) + ((esp + offset) & mask);
}

// Whether the flags that lie so far up the stack have TF set. Where they can't be read, the instruction
// faults.
bool loads_trap_flag(const Cpu& cpu, u32 offset) {
  u8 flags[2];
  if (peek_bytes(cpu, stack_address(cpu, offset), flags) != sizeof flags) return false;
  return ((flags[0] | flags[1] << 8) & kFlagTf) != 0;
}

// A far jump or call to a TSS or a task gate (SDM vol. 3A 7.3).
bool switches_tasks(const Cpu& cpu, const Instruction& insn) {
  if (cpu.real_segments()) return false;
  u16 selector = static_cast<u16>(insn.immediate2);
  if (insn.operands[0].kind == OperandKind::memory) {
    const u32 at = effective_address(cpu.state, insn) + insn.operand_size;
    u8 bytes[2];
    if (peek_bytes(cpu, static_cast<u32>(cpu.state.segment(insn.segment).base) + at, bytes) != sizeof bytes)
      return false;
    std::memcpy(&selector, bytes, sizeof selector);
  } else if (insn.operands[0].kind != OperandKind::far_pointer) {
    return false;  // a near one
  }
  const u64 table = (selector & 4) != 0 ? cpu.state.ldtr.base : cpu.state.gdtr.base;
  u8 access = 0;
  if (peek_bytes(cpu, static_cast<u32>(table) + (selector & ~7u) + 5, {&access, 1}) != 1) return false;
  constexpr u8 kTss16 = 1, kTss32 = 9, kTaskGate = 5;
  const u8 type = access & 0x1f;
  return type == kTss16 || type == kTss32 || type == kTaskGate;
}

bool is_far(const Instruction& insn) {
  if (insn.operands[0].kind == OperandKind::far_pointer) return true;
  return insn.opcode == 0xff && (insn.modrm_reg() == 3 || insn.modrm_reg() == 5);
}

StepKind kind_of_transfer(const Cpu& cpu, const Instruction& insn) {
  switch (insn.mnemonic) {
    case ZYDIS_MNEMONIC_POPF:
    case ZYDIS_MNEMONIC_POPFD:
      return loads_trap_flag(cpu, 0) ? StepKind::modelled : StepKind::plain;
    case ZYDIS_MNEMONIC_IRET:
    case ZYDIS_MNEMONIC_IRETD:
      if ((cpu.state.rflags & kFlagNt) != 0 || loads_trap_flag(cpu, 2u * insn.operand_size))
        return StepKind::modelled;
      return StepKind::plain;
    case ZYDIS_MNEMONIC_CALL:
    case ZYDIS_MNEMONIC_JMP:
      return is_far(insn) && switches_tasks(cpu, insn) ? StepKind::modelled : StepKind::plain;
    default:
      return StepKind::plain;
  }
}

bool always_modelled(const Cpu& cpu, const Instruction& insn) {
  for (const Operand& operand : insn.operands)
    if (operand.kind == OperandKind::debug) return true;
  const Operand& target = insn.operands[0];
  switch (insn.mnemonic) {
    case ZYDIS_MNEMONIC_MOV:
    case ZYDIS_MNEMONIC_POP:
      return target.kind == OperandKind::segment && target.reg == static_cast<u8>(Seg::ss);
    case ZYDIS_MNEMONIC_STI:
      return (cpu.state.rflags & kFlagIf) == 0;
    case ZYDIS_MNEMONIC_SIDT:
    case ZYDIS_MNEMONIC_INT1:
    case ZYDIS_MNEMONIC_RDTSC:
    case ZYDIS_MNEMONIC_RDTSCP:
    case ZYDIS_MNEMONIC_RDMSR:
    case ZYDIS_MNEMONIC_WRMSR:
    case ZYDIS_MNEMONIC_FNSTENV:
    case ZYDIS_MNEMONIC_FNSAVE:
    case ZYDIS_MNEMONIC_FXSAVE:
      return true;
    case ZYDIS_MNEMONIC_CPUID:
      return cpu.state.reg32(kEax) == kLinearAddressLeaf;
    default:
      return false;
  }
}

bool is_string(const Instruction& insn) {
  switch (insn.opcode & 0xfeu) {
    case 0x6c:  // INS
    case 0x6e:  // OUTS
    case 0xa4:  // MOVS
    case 0xa6:  // CMPS
    case 0xaa:  // STOS
    case 0xac:  // LODS
    case 0xae:  // SCAS
      return insn.map == OpcodeMap::one_byte;
    default:
      return false;
  }
}

}  // namespace

StepKind step_kind(const Cpu& cpu, const std::optional<Instruction>& insn) {
  const VcpuState& state = cpu.state;
  if ((state.rflags & kFlagTf) != 0 || breakpoints_armed(cpu) || state.pending_dr6 != 0 ||
      (state.interrupt_shadow & kShadowMovSs) != 0)
    return StepKind::modelled;
  if (!insn) return StepKind::plain;
  if (always_modelled(cpu, *insn)) return StepKind::modelled;
  if (is_string(*insn) && (insn->has_prefix(kPrefixRep) || insn->has_prefix(kPrefixRepne)))
    return StepKind::repeated;
  switch (insn->mnemonic) {
    case ZYDIS_MNEMONIC_PUSHF:
    case ZYDIS_MNEMONIC_PUSHFD:
      return StepKind::pushes_flags;
    case ZYDIS_MNEMONIC_LIDT:
      return StepKind::loads_idtr;
    case ZYDIS_MNEMONIC_INT:
    case ZYDIS_MNEMONIC_INT3:
    case ZYDIS_MNEMONIC_INTO:
      return StepKind::software_interrupt;
    default:
      return kind_of_transfer(cpu, *insn);
  }
}

std::optional<Instruction> peek_instruction(const Cpu& cpu, const Decoder& decoder) {
  constexpr u32 kMaxLength = 15;
  u8 bytes[kMaxLength];
  const Gva at = static_cast<Gva>(cpu.state.segment(Seg::cs).base) + cpu.state.eip();
  const u32 got = peek_bytes(cpu, at, bytes);
  Instruction insn;
  if (decoder.decode({bytes, got}, code_mode(cpu), insn) != DecodeStatus::ok) return std::nullopt;
  return insn;
}

}  // namespace ringshift
