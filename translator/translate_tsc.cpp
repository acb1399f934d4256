// Translation of RDTSC and RDTSCP: the host's counter, scaled to the guest's (base/tsc_scale.h).
#include <Zydis/Mnemonic.h>

#include <cstddef>

#include "translator/translate.h"

namespace ringshift::bt {

using namespace asmjit::x86;  // NOLINT: register names

namespace {
Mem state_field(std::size_t offset) { return ptr(r13, static_cast<i32>(offset), 8); }
Mem scale_field(std::size_t offset) {
  return ptr(r15, static_cast<i32>(offsetof(BtContext, tsc) + offset), 8);
}
}  // namespace

// TscScale::at, in EDX and EAX, which the guest gives up anyway.
void translate_read_tsc(Emitter& emitter, const GuestInstruction& guest) {
  auto& as = emitter.as();
  emitter.protect_flags();
  const Emitter::Because because(emitter, EmissionReason::read_tsc);
  as.rdtsc();
  as.shl(rdx, 32);
  as.or_(rax, rdx);
  as.sub(rax, scale_field(offsetof(TscScale, host_base)));
  as.imul(scale_field(offsetof(TscScale, rate)));
  as.shrd(rax, rdx, 32);
  as.add(rax, scale_field(offsetof(TscScale, guest_base)));
  as.add(rax, state_field(offsetof(VcpuState, tsc_offset)));
  as.mov(rdx, rax);
  as.shr(rdx, 32);
  as.mov(eax, eax);
  if (guest.insn.mnemonic == ZYDIS_MNEMONIC_RDTSCP)
    as.mov(ecx, ptr(r13, static_cast<i32>(offsetof(VcpuState, tsc_aux)), 4));
}

}  // namespace ringshift::bt
