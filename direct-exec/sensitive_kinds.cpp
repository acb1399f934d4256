// The list, and what of each instruction's effect is shown.
#include "direct-exec/sensitive_kinds.h"

#include <Zydis/Zydis.h>
#include <fmt/format.h>

#include <cstring>

#include "cpu-model/effective_address.h"
#include "cpu-model/guest_peek.h"

namespace ringshift {

namespace {

bool is_segment(const Operand& operand) { return operand.kind == OperandKind::segment; }

u32 peek_stack(const Cpu& cpu) {
  u32 value = 0;
  const Gva at = static_cast<Gva>(cpu.state.segment(Seg::ss).base) + cpu.state.reg32(kEsp);
  (void)peek_bytes(cpu, at, {reinterpret_cast<u8*>(&value), sizeof value});
  return value;
}

std::string flags_text(u32 flags) {
  return fmt::format("{:08x} IF={} IOPL={}", flags, (flags & kFlagIf) != 0 ? 1 : 0, flags >> 12 & 3);
}

// The destination, of up to 8 bytes; addresses are computed from the registers before the instruction.
std::string stored_text(const Cpu& cpu, const Instruction& insn, const VcpuState& before, u32 bytes) {
  const Operand& target = insn.operands[0];
  if (target.kind != OperandKind::memory)
    return fmt::format("{:0{}x}",
                       target.bytes == 2 ? cpu.state.reg16(target.reg) : cpu.state.reg32(target.reg),
                       target.bytes * 2);
  u8 data[8] = {};
  const Gva at = static_cast<Gva>(before.segment(insn.segment).base) + effective_address(before, insn);
  (void)peek_bytes(cpu, at, {data, bytes});
  u32 low = 0, high = 0;
  std::memcpy(&low, data, 2);
  std::memcpy(&high, data + 2, 4);
  return bytes == 6 ? fmt::format("base {:08x} limit {:04x}", high, low) : fmt::format("{:04x}", low);
}

std::string probe_text(const Cpu& cpu, const Instruction& insn) {
  const char* const zf = (cpu.state.rflags & kFlagZf) != 0 ? "ZF=1" : "ZF=0";
  if (insn.mnemonic == ZYDIS_MNEMONIC_VERR || insn.mnemonic == ZYDIS_MNEMONIC_VERW) return zf;
  return fmt::format("{} {:08x}", zf, cpu.state.reg32(insn.operands[0].reg));
}

}  // namespace

std::optional<SensitiveKind> sensitive_kind(const Instruction& insn) {
  switch (insn.mnemonic) {
    case ZYDIS_MNEMONIC_PUSHF:
    case ZYDIS_MNEMONIC_PUSHFD:
      return SensitiveKind::push_flags;
    case ZYDIS_MNEMONIC_POPF:
    case ZYDIS_MNEMONIC_POPFD:
      return SensitiveKind::load_flags;
    case ZYDIS_MNEMONIC_SGDT:
    case ZYDIS_MNEMONIC_SIDT:
      return SensitiveKind::table;
    case ZYDIS_MNEMONIC_SLDT:
    case ZYDIS_MNEMONIC_STR:
    case ZYDIS_MNEMONIC_SMSW:
      return SensitiveKind::store;
    case ZYDIS_MNEMONIC_LAR:
    case ZYDIS_MNEMONIC_LSL:
    case ZYDIS_MNEMONIC_VERR:
    case ZYDIS_MNEMONIC_VERW:
      return SensitiveKind::probe;
    case ZYDIS_MNEMONIC_PUSH:
      return is_segment(insn.operands[0]) ? std::optional(SensitiveKind::push_segment) : std::nullopt;
    case ZYDIS_MNEMONIC_POP:
      return is_segment(insn.operands[0]) ? std::optional(SensitiveKind::load_segment) : std::nullopt;
    case ZYDIS_MNEMONIC_MOV:
      if (is_segment(insn.operands[0])) return SensitiveKind::load_segment;
      return is_segment(insn.operands[1]) ? std::optional(SensitiveKind::store) : std::nullopt;
    case ZYDIS_MNEMONIC_LDS:
    case ZYDIS_MNEMONIC_LES:
    case ZYDIS_MNEMONIC_LFS:
    case ZYDIS_MNEMONIC_LGS:
    case ZYDIS_MNEMONIC_LSS:
      return SensitiveKind::load_segment;
    case ZYDIS_MNEMONIC_CALL:
    case ZYDIS_MNEMONIC_JMP: {
      // FF /3 and FF /5 are the far ones with a memory operand.
      const bool far = insn.operands[0].kind == OperandKind::far_pointer ||
                       (insn.opcode == 0xff && (insn.modrm_reg() == 3 || insn.modrm_reg() == 5));
      return far ? std::optional(SensitiveKind::transfer) : std::nullopt;
    }
    case ZYDIS_MNEMONIC_RET:
      return (insn.opcode & 0xfe) == 0xca ? std::optional(SensitiveKind::transfer) : std::nullopt;
    case ZYDIS_MNEMONIC_IRET:
    case ZYDIS_MNEMONIC_IRETD:
    case ZYDIS_MNEMONIC_INT:
    case ZYDIS_MNEMONIC_SYSENTER:
    case ZYDIS_MNEMONIC_SYSEXIT:
      return SensitiveKind::transfer;
    case ZYDIS_MNEMONIC_CPUID:
      return SensitiveKind::cpuid;
    default:
      return std::nullopt;
  }
}

std::string observed_value(Cpu& cpu, const Instruction& insn, SensitiveKind kind, const VcpuState& before) {
  const VcpuState& state = cpu.state;
  switch (kind) {
    case SensitiveKind::push_flags:
      return flags_text(peek_stack(cpu) & (insn.operand_size == 2 ? 0xffffu : ~0u));
    case SensitiveKind::load_flags:
      return flags_text(state.eflags() & ~kFlagRf);
    case SensitiveKind::table:
      return stored_text(cpu, insn, before, 6);
    case SensitiveKind::store:
      return stored_text(cpu, insn, before, 2);
    case SensitiveKind::probe:
      return probe_text(cpu, insn);
    case SensitiveKind::push_segment:
      return fmt::format("{:04x}", peek_stack(cpu) & 0xffff);
    case SensitiveKind::load_segment:
      return fmt::format("{:04x}",
                         state.segment(static_cast<Seg>(insn.operands[0].reg % kSegCount)).selector);
    case SensitiveKind::transfer:
      return fmt::format("{:04x}:{:08x} {}", state.segment(Seg::cs).selector, state.eip(),
                         flags_text(state.eflags() & ~kFlagRf));
    case SensitiveKind::cpuid:
      return fmt::format("{:08x} {:08x} {:08x} {:08x}", state.reg32(kEax), state.reg32(kEbx),
                         state.reg32(kEcx), state.reg32(kEdx));
  }
  return {};
}

std::string instruction_text(const Instruction& insn, u32 eip) {
  ZydisDisassembledInstruction text;
  if (!ZYAN_SUCCESS(
          ZydisDisassembleIntel(ZYDIS_MACHINE_MODE_LONG_COMPAT_32, eip, insn.bytes, insn.length, &text)))
    return "?";
  return text.text;
}

}  // namespace ringshift
