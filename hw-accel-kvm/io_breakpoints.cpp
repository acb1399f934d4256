// Debug registers as KVM holds them.
#include "hw-accel-kvm/io_breakpoints.h"

#include "cpu-model/control_registers.h"
#include "cpu-model/cpu.h"

namespace ringshift {

namespace {
// DR7: two bits of enable for each breakpoint from bit 0 on, and four of type and length from bit 16 on.
bool has_io_breakpoint(u64 dr7) {
  constexpr u64 kPort = 2;
  for (unsigned i = 0; i < 4; ++i)
    if ((dr7 >> (2 * i) & 3) != 0 && (dr7 >> (16 + 4 * i) & 3) == kPort) return true;
  return false;
}
}  // namespace

Result<u32> match_io_breakpoints_in_kvm(const KvmVcpu& vcpu, Cpu& cpu, u16 port, u32 size) {
  kvm_debugregs debug{};
  RS_TRY(vcpu.request(KVM_GET_DEBUGREGS, &debug, "KVM_GET_DEBUGREGS"));
  if (!has_io_breakpoint(debug.dr7)) return 0u;
  kvm_sregs2 sregs{};
  RS_TRY(vcpu.request(KVM_GET_SREGS2, &sregs, "KVM_GET_SREGS2"));
  for (unsigned i = 0; i < 4; ++i) cpu.state.dr[i] = debug.db[i];
  cpu.state.dr[7] = debug.dr7;
  cpu.state.cr4 = sregs.cr4;  // DE
  return match_io_breakpoints(cpu, port, size);
}

}  // namespace ringshift
