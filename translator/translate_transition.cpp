// Translations by light helpers: segment loads, SYSENTER, SYSEXIT, IRETD.
#include <Zydis/Mnemonic.h>

#include "translator/light_transitions.h"
#include "translator/translate.h"

namespace ringshift::bt {

using namespace asmjit::x86;  // NOLINT: register names

void translate_load_segment(Emitter& emitter, const GuestInstruction& guest, InterpretSite* site) {
  const Instruction& insn = guest.insn;
  const bool pop = insn.mnemonic == ZYDIS_MNEMONIC_POP;
  auto& as = emitter.as();
  emitter.begin_memory();
  if (pop) {
    as.mov(r8d, stack_top(emitter, 4));
  } else if (insn.memory_form()) {
    as.movzx(r8d, emitter.memory(insn, Access::read, 2));
  } else {
    as.movzx(r8d, gpw(insn.modrm_rm()));
  }
  emitter.call_light(emitter.stubs().light_segment, site, insn.operands[0].reg | (pop ? kLightPop : 0));
}

void translate_transition(Emitter& emitter, Treatment treatment, InterpretSite* site) {
  const RuntimeStubs& stubs = emitter.stubs();
  const u8* const stub = treatment == Treatment::sysenter  ? stubs.light_sysenter
                         : treatment == Treatment::sysexit ? stubs.light_sysexit
                                                           : stubs.light_iret;
  emitter.call_light(stub, site, 0);
}

}  // namespace ringshift::bt
