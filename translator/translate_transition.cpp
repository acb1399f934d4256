// Translations by helpers of their own: segment loads, SYSENTER, SYSEXIT, IRETD, IN and OUT.
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
  const Emitter::Because because(emitter, EmissionReason::light_helper);
  if (pop) {
    as.mov(r8d, stack_top(emitter, 4));
  } else if (insn.memory_form()) {
    as.movzx(r8d, emitter.memory(insn, Access::read, 2));
  } else {
    as.movzx(r8d, gpw(insn.modrm_rm()));
  }
  emitter.call_site(emitter.stubs().light_segment, site, insn.operands[0].reg | (pop ? kLightPop : 0));
}

void translate_transition(Emitter& emitter, Treatment treatment, InterpretSite* site) {
  const RuntimeStubs& stubs = emitter.stubs();
  const u8* const stub = treatment == Treatment::sysenter  ? stubs.light_sysenter
                         : treatment == Treatment::sysexit ? stubs.light_sysexit
                                                           : stubs.light_iret;
  const Emitter::Because because(emitter, EmissionReason::light_helper);
  emitter.call_site(stub, site, 0);
}

void translate_port(Emitter& emitter, const GuestInstruction& guest, InterpretSite* site) {
  const Instruction& insn = guest.insn;
  const bool out = insn.mnemonic == ZYDIS_MNEMONIC_OUT;
  const Operand& port = insn.operands[out ? 0 : 1];
  auto& as = emitter.as();
  const Emitter::Because because(emitter, EmissionReason::port);
  if (port.kind == OperandKind::immediate) {
    as.mov(r8d, insn.immediate & 0xff);
  } else {
    as.movzx(r8d, dx);
  }
  emitter.call_site(emitter.stubs().port, site,
                    insn.operands[out ? 1 : 0].bytes | (out ? PortInfo::kOut : 0));
}

}  // namespace ringshift::bt
