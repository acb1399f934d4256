// Pinning, and letting go from time to time.
#include "direct-exec/host_core.h"

#include "base/host_clock.h"

namespace ringshift {

namespace {
constexpr u64 kLookEvery = 100'000'000;  // ns
}

void HostCore::begin() {
  if (::sched_getaffinity(0, sizeof allowed_, &allowed_) != 0) return;
  settle();
}

void HostCore::end() {
  if (cpu_ >= 0) (void)::sched_setaffinity(0, sizeof allowed_, &allowed_);
  cpu_ = -1;
}

void HostCore::settle() {
  const int cpu = ::sched_getcpu();
  if (cpu < 0) return;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<unsigned>(cpu), &one);
  cpu_ = ::sched_setaffinity(0, sizeof one, &one) == 0 ? cpu : -1;
  next_look_ = host_clock_ns() + kLookEvery;
}

void HostCore::look() {
  if (cpu_ < 0 || host_clock_ns() < next_look_) return;
  (void)::sched_setaffinity(0, sizeof allowed_, &allowed_);
  ::sched_yield();
  settle();
}

}  // namespace ringshift
