// Translations of string instructions without REP. The direction is part of the mode.
#include "translator/flag_liveness.h"
#include "translator/translate.h"

namespace ringshift::bt {

using namespace asmjit::x86;  // NOLINT: register names

namespace {

u32 element_size(const Instruction& insn) { return (insn.opcode & 1) == 0 ? 1 : insn.operand_size; }

Gp sized(const Gp& reg, u32 size) {
  return size == 1 ? Gp(reg.r8()) : size == 2 ? Gp(reg.r16()) : Gp(reg.r32());
}

// r8d = linear address of seg:[reg], looked up.
void look_up_at(Emitter& emitter, Seg segment, u8 reg, Access access, u32 size) {
  Instruction element;
  element.segment = segment;
  element.base = reg;
  emitter.load_address(r8, element);
  emitter.lookup(access, size);
}

void advance(Emitter& emitter, u8 reg, u32 size) {
  const i32 step = emitter.mode().downward() ? -static_cast<i32>(size) : static_cast<i32>(size);
  emitter.as().lea(gpd(reg), ptr(gpq(reg), step));
}

}  // namespace

void translate_string(Emitter& emitter, const GuestInstruction& guest) {
  const Instruction& insn = guest.insn;
  const u32 size = element_size(insn);
  const Mem element = Emitter::host_operand(size);
  const Gp accumulator = sized(rax, size);
  const Gp value = sized(r11, size);
  auto& as = emitter.as();
  emitter.begin_memory();
  switch (insn.opcode & 0xfe) {
    case 0xa4:  // MOVS
      look_up_at(emitter, insn.segment, kEsi, Access::read, size);
      as.mov(value, element);
      look_up_at(emitter, Seg::es, kEdi, Access::write, size);
      as.mov(element, value);
      advance(emitter, kEsi, size);
      advance(emitter, kEdi, size);
      break;
    case 0xa6:  // CMPS
      look_up_at(emitter, insn.segment, kEsi, Access::read, size);
      as.mov(value, element);
      look_up_at(emitter, Seg::es, kEdi, Access::read, size);
      as.cmp(value, element);
      advance(emitter, kEsi, size);
      advance(emitter, kEdi, size);
      break;
    case 0xaa:  // STOS
      look_up_at(emitter, Seg::es, kEdi, Access::write, size);
      as.mov(element, accumulator);
      advance(emitter, kEdi, size);
      break;
    case 0xac:  // LODS
      look_up_at(emitter, insn.segment, kEsi, Access::read, size);
      as.mov(accumulator, element);
      advance(emitter, kEsi, size);
      break;
    default:  // SCAS
      look_up_at(emitter, Seg::es, kEdi, Access::read, size);
      as.cmp(accumulator, element);
      advance(emitter, kEdi, size);
      break;
  }
  settle_flags(emitter, insn);
}

}  // namespace ringshift::bt
