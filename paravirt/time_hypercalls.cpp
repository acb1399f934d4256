// Hypercalls about time and the virtual CPU: set_timer_op, vcpu_op.
#include "paravirt/domain.h"

namespace ringshift::xen {

namespace {

// (timeout: system time; 0: none)
i32 set_timer_op(Domain& domain, const HypercallArguments& arguments) {
  const u64 timeout = arguments.wide(0);
  if (timeout == 0)
    domain.time.stop_single();
  else
    domain.time.set_single(timeout);
  return 0;
}

i32 set_periodic(Domain& domain, Gva at) {
  constexpr u64 kShortest = 1'000'000;
  constexpr u64 kLongest = u64{1} << 50;
  xen32::vcpu_set_periodic_timer request{};
  if (!domain.copy_from_guest(request, at)) return -XEN_EFAULT;
  if (request.period_ns < kShortest || request.period_ns > kLongest) return -XEN_EINVAL;
  domain.time.set_periodic(request.period_ns);
  return 0;
}

i32 set_single(Domain& domain, Gva at) {
  xen32::vcpu_set_singleshot_timer request{};
  if (!domain.copy_from_guest(request, at)) return -XEN_EFAULT;
  if ((request.flags & VCPU_SSHOTTMR_future) != 0 && request.timeout_abs_ns < domain.time.system_time())
    return -XEN_ETIME;
  domain.time.set_single(request.timeout_abs_ns);
  return 0;
}

i32 runstate(Domain& domain, Gva at) {
  xen32::vcpu_runstate_info info{};
  info.state = RUNSTATE_running;
  info.time[RUNSTATE_running] = domain.time.system_time();
  return domain.copy_to_guest(at, info) ? 0 : -XEN_EFAULT;
}

// (command, vCPU, argument). There is one vCPU.
i32 vcpu_op(Domain& domain, const HypercallArguments& arguments) {
  if (arguments[1] != 0) return -XEN_ENOENT;
  switch (arguments[0]) {
    case VCPUOP_initialise:
      return -XEN_EEXIST;
    case VCPUOP_up:
      return 0;
    case VCPUOP_down:
      domain.end.stop();
      return 0;
    case VCPUOP_is_up:
      return 1;
    case VCPUOP_get_runstate_info:
      return runstate(domain, arguments[2]);
    case VCPUOP_set_periodic_timer:
      return set_periodic(domain, arguments[2]);
    case VCPUOP_stop_periodic_timer:
      domain.time.stop_periodic();
      return 0;
    case VCPUOP_set_singleshot_timer:
      return set_single(domain, arguments[2]);
    case VCPUOP_stop_singleshot_timer:
      domain.time.stop_single();
      return 0;
    default:
      // vcpu_info stays where it is in shared_info; kernels do without the rest.
      return -XEN_ENOSYS;
  }
}

}  // namespace

void register_time_hypercalls(Domain& domain) {
  domain.add_hypercall(__HYPERVISOR_set_timer_op, "set_timer_op", set_timer_op);
  domain.add_hypercall(__HYPERVISOR_vcpu_op, "vcpu_op", vcpu_op);
}

}  // namespace ringshift::xen
