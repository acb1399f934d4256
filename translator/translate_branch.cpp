// Translations of what ends a block: branches, calls, returns.
#include <Zydis/Zydis.h>

#include "base/check.h"
#include "translator/translate.h"

namespace ringshift::bt {

using namespace asmjit::x86;  // NOLINT: register names

namespace {

u32 next_eip(const GuestInstruction& guest) { return guest.eip + guest.insn.length; }
u32 relative_target(const GuestInstruction& guest) { return next_eip(guest) + guest.insn.immediate; }

// JECXZ and LOOP, which leave the flags alone. (Their 67 forms are interpreted.)
void translate_counter(Emitter& emitter, const GuestInstruction& guest, TranslationBlock& block) {
  emitter.restore_flags();
  const asmjit::Label taken = emitter.as().newLabel();
  const asmjit::Label not_taken = emitter.as().newLabel();
  if (guest.insn.mnemonic == ZYDIS_MNEMONIC_LOOP) {
    emitter.as().lea(ecx, ptr(rcx, -1));
    emitter.as().jecxz(ecx, not_taken);
    emitter.jump_to_link(relative_target(guest), &block.links[0]);
    emitter.bind_to_link(not_taken, next_eip(guest), &block.links[1]);
  } else {
    emitter.as().jecxz(ecx, taken);
    emitter.jump_to_link(next_eip(guest), &block.links[1]);
    emitter.bind_to_link(taken, relative_target(guest), &block.links[0]);
  }
}

// Loads an indirect branch's target into r11d.
void load_target(Emitter& emitter, const Instruction& insn) {
  if (!insn.memory_form()) {
    emitter.as().mov(r11d, gpd(insn.modrm_rm()));
    return;
  }
  const Mem target = emitter.memory(insn, Access::read, 4);
  emitter.as().mov(r11d, target);
}

void jump_to_r11(Emitter& emitter) {
  emitter.restore_flags();
  emitter.as().mov(r8d, r11d);
  emitter.jump_indirect();
}

void translate_ret(Emitter& emitter, const Instruction& insn) {
  Instruction top;
  top.segment = Seg::ss;
  top.base = kEsp;
  const i32 release = insn.opcode == 0xc2 ? static_cast<i32>(insn.immediate & 0xffff) : 0;
  emitter.begin_memory();
  const Mem return_address = emitter.memory(top, Access::read, 4);
  emitter.as().mov(r11d, return_address);
  emitter.as().lea(esp, ptr(rsp, 4 + release));
  jump_to_r11(emitter);
}

}  // namespace

void translate_branch(Emitter& emitter, const GuestInstruction& guest, Treatment treatment,
                      TranslationBlock& block) {
  const Instruction& insn = guest.insn;
  switch (treatment) {
    case Treatment::jump:
      emitter.restore_flags();
      emitter.jump_to_link(relative_target(guest), &block.links[0]);
      break;
    case Treatment::jump_if:
      emitter.restore_flags();
      emitter.jump_if_to_link(insn.opcode & 15, relative_target(guest), &block.links[0]);
      emitter.jump_to_link(next_eip(guest), &block.links[1]);
      break;
    case Treatment::jump_counter:
      translate_counter(emitter, guest, block);
      break;
    case Treatment::call:
      emitter.begin_memory();
      push_immediate(emitter, next_eip(guest));
      emitter.restore_flags();
      emitter.jump_to_link(relative_target(guest), &block.links[0]);
      break;
    case Treatment::jump_indirect:
      emitter.begin_memory();
      load_target(emitter, insn);
      jump_to_r11(emitter);
      break;
    case Treatment::call_indirect:
      emitter.begin_memory();
      load_target(emitter, insn);
      push_immediate(emitter, next_eip(guest));
      jump_to_r11(emitter);
      break;
    case Treatment::ret:
      translate_ret(emitter, insn);
      break;
    default:
      RS_PANIC("no branch: treatment {}", static_cast<int>(treatment));
  }
}

}  // namespace ringshift::bt
