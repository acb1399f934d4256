// Translations of CLI and STI where nothing but EFLAGS.IF changes: at CPL 0.
#include <cstddef>

#include "translator/translate.h"

namespace ringshift::bt {

using namespace asmjit::x86;  // NOLINT: register names

namespace {
Mem flags_word() { return ptr(r13, static_cast<i32>(offsetof(VcpuState, rflags)), 4); }
}  // namespace

void translate_clear_if(Emitter& emitter) {
  emitter.protect_flags();
  const Emitter::Because because(emitter, EmissionReason::interrupt_flag);
  emitter.as().and_(flags_word(), ~kFlagIf);
}

// What waits is delivered after the next instruction, where the block ends with a poll: that is STI's shadow.
void translate_set_if(Emitter& emitter) {
  emitter.protect_flags();
  const Emitter::Because because(emitter, EmissionReason::interrupt_flag);
  emitter.as().or_(flags_word(), kFlagIf);
}

namespace {
// r11d: the image; leaves its difference to VcpuState's in r9d.
void interpret_rare_flags(Emitter& emitter, u32 rare, InterpretSite* site) {
  const Emitter::Because because(emitter, EmissionReason::rare_flags);
  auto& as = emitter.as();
  const asmjit::Label usual = as.newLabel();
  as.mov(r9d, flags_word());
  as.xor_(r9d, r11d);
  as.test(r9d, rare);
  as.jz(usual);
  emitter.interpret_aside(site);
  as.bind(usual);
}
}  // namespace

// Most POPFs restore IF and the arithmetic flags. What waits for IF is delivered before the next instruction.
// Above CPL 0, IOPL decides whether IF can change (SDM vol. 2B POPF): an image that would is the
// interpreter's.
void translate_pop_flags(Emitter& emitter, const GuestInstruction& guest, InterpretSite* site) {
  const bool wide = guest.insn.operand_size == 4;
  const bool may_change_if = emitter.mode().cpl() == 0;
  const u32 rare = kFlagTf | kFlagDf | kFlagIopl | kFlagNt | (wide ? kFlagAc | kFlagId : 0) |
                   (may_change_if ? 0 : kFlagIf);
  auto& as = emitter.as();
  emitter.protect_flags();
  emitter.begin_memory();
  {
    const Emitter::Because because(emitter, EmissionReason::stack_load);
    const Mem top = stack_top(emitter, guest.insn.operand_size);
    wide ? as.mov(r11d, top) : as.movzx(r11d, top);
  }
  interpret_rare_flags(emitter, rare, site);
  const Emitter::Because because(emitter, EmissionReason::take_flags);
  if (may_change_if) {
    as.and_(r9d, kFlagIf);
    as.xor_(flags_word(), r9d);
  }
  // Into r12 as LAHF and SETO give them.
  as.movzx(r12d, r11b);
  as.shl(r12d, 8);
  as.shr(r11d, 11);
  as.and_(r11d, 1);
  as.or_(r12d, r11d);
  move_stack_pointer(emitter, kEsp, guest.insn.operand_size);
  if (may_change_if) emitter.leave_if_events(guest.eip + guest.insn.length);
  emitter.restore_flags();
  emitter.resume_here(site);
}

}  // namespace ringshift::bt
