// I/O breakpoints: KVM executes IN and OUT that exit, and looks at no debug register, so that they are
// matched here.
#pragma once

#include "hw-accel-kvm/kvm_vcpu.h"

namespace ringshift {

struct Cpu;

// DR6 bits of the enabled breakpoints that an access to the port matches (SDM vol. 3B 18.2.5). It is asked at
// each exit, and asks KVM for more only if DR7 has one. Brings DR0 to DR3, DR7 and CR4 of cpu.state up to
// date.
Result<u32> match_io_breakpoints_in_kvm(const KvmVcpu& vcpu, Cpu& cpu, u16 port, u32 size);

}  // namespace ringshift
