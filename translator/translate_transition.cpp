// Translations of system instructions, most by helpers of their own: segment loads, SYSENTER, SYSEXIT, IRETD,
// control registers, IN and OUT.
#include <Zydis/Mnemonic.h>

#include <cstddef>

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

void translate_write_cr0(Emitter& emitter, const GuestInstruction& guest, InterpretSite* site) {
  const bool clts = guest.insn.mnemonic == ZYDIS_MNEMONIC_CLTS;
  const Emitter::Because because(emitter, EmissionReason::light_helper);
  if (!clts) emitter.as().mov(r8d, gpw(guest.insn.modrm_rm()).r32());
  emitter.call_site(emitter.stubs().light_cr0, site, clts ? kLightClts : 0);
}

// At CPL 0.
void translate_read_control(Emitter& emitter, const GuestInstruction& guest) {
  constexpr std::size_t kFields[] = {offsetof(VcpuState, cr0), 0, offsetof(VcpuState, cr2),
                                     offsetof(VcpuState, cr3), offsetof(VcpuState, cr4)};
  const Emitter::Because because(emitter, EmissionReason::control_register);
  const auto field = static_cast<i32>(kFields[guest.insn.operands[1].reg]);
  emitter.as().mov(gpd(guest.insn.operands[0].reg), ptr(r13, field, 4));
}

void translate_cpuid(Emitter& emitter, InterpretSite* site) {
  const Emitter::Because because(emitter, EmissionReason::light_helper);
  emitter.call_site(emitter.stubs().light_cpuid, site, 0);
}

void translate_software_interrupt(Emitter& emitter, const GuestInstruction& guest, InterpretSite* site) {
  const Emitter::Because because(emitter, EmissionReason::light_helper);
  emitter.call_site(emitter.stubs().light_interrupt, site, guest.insn.immediate & 0xff);
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
