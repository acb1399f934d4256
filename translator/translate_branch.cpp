// Translations of what ends a block: branches, calls, returns.
#include <Zydis/Zydis.h>

#include "base/check.h"
#include "translator/translate.h"

namespace ringshift::bt {

using namespace asmjit::x86;  // NOLINT: register names

namespace {

// JrCXZ over the counter of the instruction's address size, to `zero`; of CX alone ECX is put aside in r9.
void jump_if_counter_zero(Emitter& emitter, const Instruction& insn, const asmjit::Label& zero) {
  auto& as = emitter.as();
  if (insn.address_size == 4) return void(as.jecxz(ecx, zero));
  as.mov(r9d, ecx);
  as.movzx(ecx, cx);
  as.jecxz(ecx, zero);
  as.mov(ecx, r9d);
}
// At `zero`.
void bind_counter_zero(Emitter& emitter, const Instruction& insn, const asmjit::Label& zero) {
  emitter.as().bind(zero);
  if (insn.address_size == 2) emitter.as().mov(ecx, r9d);
}

void link_to(Emitter& emitter, EmissionReason ending, u32 eip, TranslationBlock& block) {
  const Emitter::Because because(emitter, ending);
  emitter.jump_to_link(eip, block.take_link());
}

// JCXZ, JECXZ and LOOP, which leave the flags alone.
void translate_counter(Emitter& emitter, const GuestInstruction& guest, TranslationBlock& block) {
  const Instruction& insn = guest.insn;
  emitter.restore_flags();
  const asmjit::Label zero = emitter.as().newLabel();
  const Emitter::Because because(emitter, EmissionReason::counter);
  const bool loop = insn.mnemonic == ZYDIS_MNEMONIC_LOOP;
  if (loop && insn.address_size == 4) {
    emitter.as().lea(ecx, ptr(rcx, -1));
  } else if (loop) {
    emitter.as().lea(r9d, ptr(rcx, -1));
    emitter.as().mov(cx, r9w);
  }
  jump_if_counter_zero(emitter, insn, zero);
  if (loop) {
    link_to(emitter, EmissionReason::taken, guest.branch_target(), block);
    bind_counter_zero(emitter, insn, zero);
    link_to(emitter, EmissionReason::not_taken, guest.next_eip(), block);
  } else {
    link_to(emitter, EmissionReason::not_taken, guest.next_eip(), block);
    bind_counter_zero(emitter, insn, zero);
    link_to(emitter, EmissionReason::taken, guest.branch_target(), block);
  }
}

// Loads an indirect branch's target, or a direct one's whose distance is live, checked.
void load_target(Emitter& emitter, const GuestInstruction& guest, Gp target) {
  const Instruction& insn = guest.insn;
  const Emitter::Because because(emitter, EmissionReason::target);
  auto& as = emitter.as();
  const bool wide = insn.operand_size == 4;
  if (emitter.live_immediate()) {
    emitter.load_live(target, kLiveImmediate);
    emitter.load_eip(r9, guest.next_eip());
    as.lea(target.r32(), ptr(target.r64(), r9));
  } else if (!insn.memory_form()) {
    const unsigned reg = insn.modrm_rm();
    wide ? as.mov(target.r32(), gpd(reg)) : as.movzx(target.r32(), gpw(reg));
  } else {
    const Mem source = emitter.memory(insn, Access::read, insn.operand_size);
    wide ? as.mov(target.r32(), source) : as.movzx(target.r32(), source);
  }
  emitter.check_target(target, insn.operand_size);
}

void translate_jump_if(Emitter& emitter, const GuestInstruction& guest, TranslationBlock& block) {
  emitter.restore_flags();
  {
    const Emitter::Because because(emitter, EmissionReason::taken);
    emitter.jump_if_to_link(guest.insn.opcode & 15, guest.branch_target(), block.take_link());
  }
  link_to(emitter, EmissionReason::not_taken, guest.next_eip(), block);
}

void translate_jump_to(Emitter& emitter, const GuestInstruction& guest) {
  emitter.begin_memory();
  load_target(emitter, guest, r8);
  emitter.restore_flags();
  emitter.jump_indirect();
}

void translate_call_to(Emitter& emitter, const GuestInstruction& guest) {
  emitter.begin_memory();
  load_target(emitter, guest, r11);  // the push needs r8
  push_eip(emitter, guest.next_eip(), guest.insn.operand_size);
  emitter.restore_flags();
  emitter.as().mov(r8d, r11d);
  emitter.jump_indirect();
}

void load_return_address(Emitter& emitter, const Instruction& insn) {
  auto& as = emitter.as();
  const i32 release = insn.opcode == 0xc2 ? static_cast<i32>(insn.immediate & 0xffff) : 0;
  emitter.begin_memory();
  {
    const Emitter::Because because(emitter, EmissionReason::stack_load);
    const Mem return_address = stack_top(emitter, insn.operand_size);
    insn.operand_size == 4 ? as.mov(r8d, return_address) : as.movzx(r8d, return_address);
  }
  emitter.check_target(r8, insn.operand_size);
  move_stack_pointer(emitter, kEsp, insn.operand_size + release);
}

}  // namespace

void translate_stack_of_branch(Emitter& emitter, const GuestInstruction& guest, Treatment treatment) {
  if (treatment == Treatment::ret) return load_return_address(emitter, guest.insn);
  if (treatment != Treatment::call || emitter.live_immediate()) return;
  emitter.begin_memory();
  push_eip(emitter, guest.next_eip(), guest.insn.operand_size);
}

void translate_branch(Emitter& emitter, const GuestInstruction& guest, Treatment treatment,
                      TranslationBlock& block) {
  switch (treatment) {
    case Treatment::jump:
      if (emitter.live_immediate()) return translate_jump_to(emitter, guest);
      emitter.restore_flags();
      link_to(emitter, EmissionReason::jump, guest.branch_target(), block);
      break;
    case Treatment::jump_if:
      translate_jump_if(emitter, guest, block);
      break;
    case Treatment::jump_counter:
      translate_counter(emitter, guest, block);
      break;
    case Treatment::call:
      if (emitter.live_immediate()) return translate_call_to(emitter, guest);
      emitter.restore_flags();
      link_to(emitter, EmissionReason::call, guest.branch_target(), block);
      break;
    case Treatment::jump_indirect:
      return translate_jump_to(emitter, guest);
    case Treatment::call_indirect:
      return translate_call_to(emitter, guest);
    case Treatment::ret:
      emitter.restore_flags();
      emitter.jump_indirect();
      break;
    default:
      RS_PANIC("no branch: treatment {}", static_cast<int>(treatment));
  }
}

}  // namespace ringshift::bt
