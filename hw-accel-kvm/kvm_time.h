// KvmTime: keeps the time-stamp counter that KVM's guest reads in step with the machine's Clock.
#pragma once

#include "cpu-model/cpu_io.h"
#include "cpu-model/vcpu_state.h"
#include "hw-accel-kvm/kvm_vcpu.h"

namespace ringshift {

// RDTSC in the guest is the host's counter, scaled where hardware can, plus an offset that is set here. Where
// KVM can't scale, the guest's counter runs at the host's rate: continuous whenever the engine changes, but
// not the Clock's.
class KvmTime {
 public:
  // wanted_khz: the rate of CpuIo::read_tsc().
  KvmTime(const KvmSystem& system, const KvmVcpu& vcpu, u32 wanted_khz);

  // The rate at which the guest's counter runs; 0 if KVM doesn't say.
  u32 khz() const { return khz_; }
  bool follows_clock() const { return follows_clock_; }

  // The guest's counter becomes the Clock's plus the state's offset.
  Result<void> load(CpuIo& io, const VcpuState& state) const;
  // The state's offset becomes what the guest's counter shows, if that does not follow the Clock by itself.
  Result<void> save(CpuIo& io, VcpuState& state) const;

 private:
  Result<u64> guest_tsc() const;
  Result<void> set_guest_tsc(u64 value) const;

  const KvmVcpu& vcpu_;
  u32 khz_ = 0;
  bool follows_clock_ = false;
  bool has_offset_ = false;
};

}  // namespace ringshift
