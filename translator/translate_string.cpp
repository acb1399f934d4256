// Translations of string instructions without REP. The direction is part of the mode.
#include "translator/translate.h"

namespace ringshift::bt {

using namespace asmjit::x86;  // NOLINT: register names

namespace {

u32 element_size(const Instruction& insn) { return (insn.opcode & 1) == 0 ? 1 : insn.operand_size; }

Gp sized(const Gp& reg, u32 size) {
  return size == 1 ? Gp(reg.r8()) : size == 2 ? Gp(reg.r16()) : Gp(reg.r32());
}

// seg:[reg].
Mem element_at(Emitter& emitter, Seg segment, u8 reg, Access access, u32 size) {
  Instruction element;
  element.segment = segment;
  element.base = reg;
  return emitter.memory(element, access, size);
}

void advance(Emitter& emitter, u8 reg, u32 size) {
  const i32 step = emitter.mode().downward() ? -static_cast<i32>(size) : static_cast<i32>(size);
  emitter.as().lea(gpd(reg), ptr(gpq(reg), step));
}

}  // namespace

void translate_string(Emitter& emitter, const GuestInstruction& guest) {
  const Instruction& insn = guest.insn;
  const u32 size = element_size(insn);
  const Gp accumulator = sized(rax, size);
  const Gp value = sized(r11, size);
  auto& as = emitter.as();
  emitter.begin_memory();
  switch (insn.opcode & 0xfe) {
    case 0xa4:  // MOVS
      as.mov(value, element_at(emitter, insn.segment, kEsi, Access::read, size));
      as.mov(element_at(emitter, Seg::es, kEdi, Access::write, size), value);
      advance(emitter, kEsi, size);
      advance(emitter, kEdi, size);
      break;
    case 0xa6:  // CMPS
      as.mov(value, element_at(emitter, insn.segment, kEsi, Access::read, size));
      as.cmp(value, element_at(emitter, Seg::es, kEdi, Access::read, size));
      advance(emitter, kEsi, size);
      advance(emitter, kEdi, size);
      break;
    case 0xaa:  // STOS
      as.mov(element_at(emitter, Seg::es, kEdi, Access::write, size), accumulator);
      advance(emitter, kEdi, size);
      break;
    case 0xac:  // LODS
      as.mov(accumulator, element_at(emitter, insn.segment, kEsi, Access::read, size));
      advance(emitter, kEsi, size);
      break;
    default:  // SCAS
      as.cmp(accumulator, element_at(emitter, Seg::es, kEdi, Access::read, size));
      advance(emitter, kEdi, size);
      break;
  }
  emitter.settle_flags(insn);
}

// REP MOVS and STOS, REPE/REPNE CMPS and SCAS, upwards, through a window: the host's own, on host addresses.
// The window is 4 GiB-aligned, so the low halves of RSI and RDI stay the guest's, also when it faults half
// way. Counts that could outrun the guard behind the window, or keep interrupts waiting, go to the
// interpreter.
void translate_rep(Emitter& emitter, const GuestInstruction& guest, InterpretSite* site) {
  constexpr u32 kMaxCount = 16384;
  const Instruction& insn = guest.insn;
  auto& as = emitter.as();
  const asmjit::Label native = as.newLabel();
  emitter.protect_flags();
  as.cmp(ecx, kMaxCount);
  as.jbe(native);
  emitter.interpret_aside(site);
  as.bind(native);
  emitter.restore_flags();
  const bool source = (insn.opcode & 0xfe) == 0xa4 || (insn.opcode & 0xfe) == 0xa6;
  as.rdgsbase(r9);
  as.lea(rdi, ptr(r9, rdi));
  if (source) as.lea(rsi, ptr(r9, rsi));
  emitter.mark();
  as.db(insn.has_prefix(kPrefixRepne) ? 0xf2 : 0xf3);
  if (insn.has_prefix(kPrefixOperandSize)) as.db(0x66);
  as.db(insn.opcode);
  as.mov(edi, edi);
  if (source) as.mov(esi, esi);
  emitter.resume_here(site);
}

}  // namespace ringshift::bt
