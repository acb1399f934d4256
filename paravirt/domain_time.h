// DomainTime: system time and wall clock as the guest reads them in shared_info, and the vCPU's timers.
#pragma once

#include <functional>

#include "devices/clock.h"
#include "paravirt/vcpu_info.h"

namespace ringshift::xen {

class DomainTime {
 public:
  // on_timer: VIRQ_TIMER. tsc_offset: VcpuState's, what the guest's RDTSC has beyond the Clock's.
  DomainTime(Clock& clock, MachineMemory& memory, VcpuInfo& info, std::function<void()> on_timer);

  // Time 0 of the domain is now.
  void start(u64 tsc_offset, i64 utc);
  // Since the domain's start, in ns.
  u64 system_time() { return clock_.now_ns() - start_ns_; }
  u64 to_clock(u64 system_time) const { return start_ns_ + system_time; }

  // deadline: system time. The timer is one-shot.
  void set_single(u64 deadline);
  void stop_single() { single_.cancel(); }
  void set_periodic(u64 period_ns);
  void stop_periodic() { set_periodic(0); }

 private:
  void publish();
  void tick();

  Clock& clock_;
  MachineMemory& memory_;
  VcpuInfo& info_;
  std::function<void()> on_timer_;
  u64 start_ns_ = 0;
  u64 tsc_offset_ = 0;
  u32 version_ = 0;
  u64 period_ = 0;
  Clock::Timer single_;
  Clock::Timer periodic_;
};

}  // namespace ringshift::xen
