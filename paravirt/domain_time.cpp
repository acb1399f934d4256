// The guest's clocks and timers.
#include "paravirt/domain_time.h"

namespace ringshift::xen {

namespace {
// ns = (tsc * 2^31) >> 32: exact for the Clock's TSC, so time never has to be corrected.
static_assert(Clock::kTscCountsPerNs == 2);
constexpr u32 kTscToNs = 1u << 31;
}  // namespace

DomainTime::DomainTime(Clock& clock, MachineMemory& memory, VcpuInfo& info, std::function<void()> on_timer)
    : clock_(clock),
      memory_(memory),
      info_(info),
      on_timer_(std::move(on_timer)),
      single_(clock, [this] { tick(); }),
      periodic_(clock, [this] {
        periodic_.arm(clock_.now_ns() + period_);
        tick();
      }) {}

void DomainTime::start(u64 tsc_offset, i64 utc) {
  start_ns_ = clock_.now_ns();
  tsc_offset_ = tsc_offset;
  using Shared = xen32::shared_info_x86_32;
  const u32 wall[3] = {2, static_cast<u32>(utc), 0};  // version, seconds, nanoseconds at system time 0
  memory_.write(info_.mfn(), offsetof(Shared, wc_version), wall, sizeof wall);
  const auto high = static_cast<u32>(utc >> 32);
  memory_.write(info_.mfn(), offsetof(Shared, arch.wc_sec_hi), &high, sizeof high);
  publish();
}

void DomainTime::publish() {
  xen32::vcpu_time_info_x86_32 time{};
  version_ += 2;
  time.version = version_;
  time.tsc_timestamp = clock_.tsc() + tsc_offset_;
  time.system_time = system_time();
  time.tsc_to_system_mul = kTscToNs;
  info_.set_time(time);
}

void DomainTime::tick() {
  publish();
  on_timer_();
}

// A time that has passed is due at once; one that can't be a time is never (Xen: more than 50 bits away).
void DomainTime::set_single(u64 deadline) {
  constexpr u64 kTooFar = u64{1} << 50;
  single_.cancel();
  if (deadline > system_time() + kTooFar) return;
  single_.arm(to_clock(deadline));
}

void DomainTime::set_periodic(u64 period_ns) {
  period_ = period_ns;
  if (period_ns == 0) return periodic_.cancel();
  periodic_.arm(clock_.now_ns() + period_ns);
}

}  // namespace ringshift::xen
