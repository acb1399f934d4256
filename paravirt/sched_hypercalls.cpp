// HYPERVISOR_sched_op: yield, block, poll, shutdown.
#include "paravirt/domain.h"

namespace ringshift::xen {

namespace {

i32 shut_down(Domain& domain, u32 reason) {
  switch (reason) {
    case SHUTDOWN_poweroff:
      domain.power.power_off();
      break;
    case SHUTDOWN_reboot:
      domain.power.reset();
      break;
    case SHUTDOWN_crash:
      domain.end.crash("the guest's kernel says that it has crashed (SCHEDOP_shutdown, SHUTDOWN_crash)");
      break;
    case SHUTDOWN_watchdog:
      domain.end.crash("the guest's watchdog");
      break;
    default:
      // There is nothing that could resume a suspended domain.
      return reason <= SHUTDOWN_MAX ? -XEN_ENOSYS : -XEN_EINVAL;
  }
  domain.end.stop();
  return 0;
}

i32 block(Domain& domain) {
  domain.info.set_masked(false);
  if (!domain.info.upcall_pending()) domain.end.stop();
  return 0;
}

i32 poll(Domain& domain, Gva at) {
  constexpr u32 kMostPorts = 128;
  xen32::sched_poll request{};
  if (!domain.copy_from_guest(request, at)) return -XEN_EFAULT;
  if (request.nr_ports > kMostPorts) return -XEN_EINVAL;
  for (u32 i = 0; i < request.nr_ports; ++i) {
    const u64 from = request.ports + u64{i} * sizeof(u32);
    u32 port = 0;
    if (from >= kHypervisorStart || !domain.copy_from_guest(port, static_cast<Gva>(from))) return -XEN_EFAULT;
    constexpr u32 kPorts = 1024;
    if (port >= kPorts) return -XEN_EINVAL;
    if (domain.port_is_pending(port)) return 0;
  }
  if (request.timeout != 0 && request.timeout <= domain.time.system_time()) return 0;
  if (!domain.info.upcall_due()) domain.poll(request.timeout);
  return 0;
}

// (command, argument)
i32 sched_op(Domain& domain, const HypercallArguments& arguments) {
  switch (arguments[0]) {
    case SCHEDOP_yield:
      return 0;
    case SCHEDOP_block:
      return block(domain);
    case SCHEDOP_shutdown: {
      xen32::sched_shutdown request{};
      if (!domain.copy_from_guest(request, arguments[1])) return -XEN_EFAULT;
      return shut_down(domain, request.reason);
    }
    case SCHEDOP_poll:
      return poll(domain, arguments[1]);
    case SCHEDOP_shutdown_code:
      return 0;
    default:
      return -XEN_ENOSYS;
  }
}

// The old form: the reason of a shutdown is the argument itself.
i32 sched_op_compat(Domain& domain, const HypercallArguments& arguments) {
  switch (arguments[0]) {
    case SCHEDOP_yield:
      return 0;
    case SCHEDOP_block:
      return block(domain);
    case SCHEDOP_shutdown:
      return shut_down(domain, arguments[1]);
    default:
      return -XEN_ENOSYS;
  }
}

}  // namespace

void register_sched_hypercalls(Domain& domain) {
  domain.add_hypercall(__HYPERVISOR_sched_op, "sched_op", sched_op);
  domain.add_hypercall(__HYPERVISOR_sched_op_compat, "sched_op_compat", sched_op_compat);
}

}  // namespace ringshift::xen
