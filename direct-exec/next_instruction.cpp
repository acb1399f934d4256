// Decoding ahead of the interpreter.
#include "direct-exec/next_instruction.h"

#include <Zydis/Zydis.h>

#include "cpu-model/code_mode.h"
#include "cpu-model/effective_address.h"
#include "cpu-model/memory_access.h"
#include "cpu-model/segmentation.h"

namespace ringshift {

namespace {

constexpr u32 kMaxLength = 15;

// Raises #GP at CPL 3, or may.
bool may_be_protected(const Instruction& insn) {
  switch (insn.mnemonic) {
    case ZYDIS_MNEMONIC_CLI:
    case ZYDIS_MNEMONIC_STI:
    case ZYDIS_MNEMONIC_HLT:
    case ZYDIS_MNEMONIC_IN:
    case ZYDIS_MNEMONIC_OUT:
    case ZYDIS_MNEMONIC_INSB:
    case ZYDIS_MNEMONIC_INSW:
    case ZYDIS_MNEMONIC_INSD:
    case ZYDIS_MNEMONIC_OUTSB:
    case ZYDIS_MNEMONIC_OUTSW:
    case ZYDIS_MNEMONIC_OUTSD:
    case ZYDIS_MNEMONIC_INT:
    case ZYDIS_MNEMONIC_IRET:
    case ZYDIS_MNEMONIC_IRETD:
    case ZYDIS_MNEMONIC_RDTSC:
    case ZYDIS_MNEMONIC_RDPMC:
    case ZYDIS_MNEMONIC_CPUID:
    case ZYDIS_MNEMONIC_RDMSR:
    case ZYDIS_MNEMONIC_WRMSR:
    case ZYDIS_MNEMONIC_CLTS:
    case ZYDIS_MNEMONIC_LMSW:
    case ZYDIS_MNEMONIC_LGDT:
    case ZYDIS_MNEMONIC_LIDT:
    case ZYDIS_MNEMONIC_LLDT:
    case ZYDIS_MNEMONIC_LTR:
    case ZYDIS_MNEMONIC_INVLPG:
    case ZYDIS_MNEMONIC_INVD:
    case ZYDIS_MNEMONIC_WBINVD:
    case ZYDIS_MNEMONIC_SYSEXIT:
    case ZYDIS_MNEMONIC_LDS:
    case ZYDIS_MNEMONIC_LES:
    case ZYDIS_MNEMONIC_LFS:
    case ZYDIS_MNEMONIC_LGS:
    case ZYDIS_MNEMONIC_LSS:
      return true;
    default:
      break;
  }
  for (const Operand& operand : insn.operands)
    if (operand.kind == OperandKind::segment || operand.kind == OperandKind::control ||
        operand.kind == OperandKind::debug || operand.kind == OperandKind::far_pointer)
      return true;
  return false;
}

Gva code_address(const Cpu& cpu, u32 eip) { return static_cast<Gva>(cpu.state.segment(Seg::cs).base) + eip; }

std::optional<u16> loaded_selector(Cpu& cpu, const Instruction& insn, u32* stack_bytes) {
  const Operand& source = insn.operands[1];
  *stack_bytes = 0;
  if (insn.mnemonic == ZYDIS_MNEMONIC_POP) {
    *stack_bytes = insn.operand_size;
    const Outcome<u16> value = read_memory<u16>(cpu, Seg::ss, cpu.state.reg32(kEsp));
    return value ? std::optional(*value) : std::nullopt;
  }
  if (insn.mnemonic != ZYDIS_MNEMONIC_MOV) return std::nullopt;
  if (source.kind == OperandKind::gpr16 || source.kind == OperandKind::gpr32)
    return cpu.state.reg16(source.reg);
  if (source.kind != OperandKind::memory) return std::nullopt;
  const Outcome<u16> value = read_memory<u16>(cpu, insn.segment, effective_address(cpu.state, insn));
  return value ? std::optional(*value) : std::nullopt;
}

}  // namespace

std::optional<Instruction> next_instruction(Cpu& cpu, const Decoder& decoder) {
  u8 bytes[kMaxLength];
  const Gva at = code_address(cpu, cpu.state.eip());
  const Outcome<u32> first = fetch_bytes(cpu, at, bytes, kMaxLength);
  if (!first) return std::nullopt;
  u32 got = *first;
  Instruction insn;
  DecodeStatus status = decoder.decode({bytes, got}, code_mode(cpu), insn);
  if (status == DecodeStatus::truncated && got < kMaxLength) {
    const Outcome<u32> rest = fetch_bytes(cpu, at + got, bytes + got, kMaxLength - got);
    if (!rest) return std::nullopt;
    got += *rest;
    status = decoder.decode({bytes, got}, code_mode(cpu), insn);
  }
  return status == DecodeStatus::ok ? std::optional(insn) : std::nullopt;
}

bool uses_fpu(const Instruction& insn) {
  switch (insn.isa_set) {
    case ZYDIS_ISA_SET_I86:
    case ZYDIS_ISA_SET_I186:
    case ZYDIS_ISA_SET_I286REAL:
    case ZYDIS_ISA_SET_I286PROTECTED:
    case ZYDIS_ISA_SET_I386:
    case ZYDIS_ISA_SET_I486:
    case ZYDIS_ISA_SET_I486REAL:
    case ZYDIS_ISA_SET_PENTIUMREAL:
    case ZYDIS_ISA_SET_CMOV:
    case ZYDIS_ISA_SET_FAT_NOP:
    case ZYDIS_ISA_SET_PAUSE:
      return false;
    default:
      break;
  }
  return insn.mnemonic != ZYDIS_MNEMONIC_SYSENTER && insn.mnemonic != ZYDIS_MNEMONIC_SYSEXIT;
}

bool load_alias(Cpu& cpu, const Instruction& insn, const SelectorAliases& aliases) {
  const Operand& target = insn.operands[0];
  const auto which = static_cast<Seg>(target.reg);
  if (target.kind != OperandKind::segment || which == Seg::cs) return false;
  u32 stack_bytes = 0;
  const auto selector = loaded_selector(cpu, insn, &stack_bytes);
  // The guest's own LDT comes first, if it has one.
  const bool has_ldt = (cpu.state.ldtr.selector & 0xfffc) != 0;
  if (!selector || (has_ldt && in_descriptor_table(cpu, *selector))) return false;
  const auto known = aliases.find(*selector);
  if (!known || (which == Seg::ss ? known->dpl() != cpu.state.cpl : known->dpl() < cpu.state.cpl))
    return false;
  cpu.state.segment(which) = *known;
  cpu.state.set_reg32(kEsp, cpu.state.reg32(kEsp) + stack_bytes);
  cpu.state.rip = cpu.state.eip() + insn.length;
  cpu.state.interrupt_shadow = which == Seg::ss ? kShadowMovSs : 0;
  return true;
}

bool behind(Cpu& cpu, u8 first, u8 second) {
  u8 bytes[2];
  const Outcome<u32> got = fetch_bytes(cpu, code_address(cpu, cpu.state.eip() - 2), bytes, 2);
  if (!got) return false;
  if (*got == 1 && !fetch_bytes(cpu, code_address(cpu, cpu.state.eip() - 1), bytes + 1, 1)) return false;
  return bytes[0] == first && bytes[1] == second;
}

u32 behind_overflow_trap(Cpu& cpu, const Decoder& decoder) {
  constexpr u8 kInto = 0xce, kInt = 0xcd;
  u8 last = 0;
  if (!fetch_bytes(cpu, code_address(cpu, cpu.state.eip() - 1), &last, 1)) return 0;
  const bool into = last == kInto && (cpu.state.rflags & kFlagOf) != 0;
  const bool int4 = last == 4 && behind(cpu, kInt, 4);
  if (!into && !int4) return 0;
  const auto insn = next_instruction(cpu, decoder);
  if (insn && may_be_protected(*insn)) return 0;
  return into ? 1 : 2;
}

}  // namespace ringshift
