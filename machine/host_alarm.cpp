// The per-thread timer behind the guest's timers.
#include "machine/host_alarm.h"

#include <cerrno>
#include <cstring>

namespace ringshift {

namespace {
int alarm_signal() { return SIGRTMIN + 1; }

void on_alarm(int, siginfo_t* info, void*) {
  static_cast<RunControl*>(info->si_value.sival_ptr)->raise_event(kEventService);
}
}  // namespace

Result<void> HostAlarm::start() {
  if (!timer_.create(CLOCK_MONOTONIC, alarm_signal(), on_alarm, &control_))
    return fail(ErrorKind::internal, "cannot make a timer: {}", std::strerror(errno));
  return {};
}

void HostAlarm::arm(u64 delta_ns) {
  if (delta_ns == 0) return control_.raise_event(kEventService);
  timer_.arm(delta_ns);
}

}  // namespace ringshift
