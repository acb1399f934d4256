// Guest: event channels, the upcall and its mask, timers; and their abuse.
#include "xen-conformance/forge.h"

namespace {

constexpr u32 kPorts = 1024;  // of the two-level ABI with 32-bit words
constexpr u64 kMillisecond = 1000000;

u32 g_count[kPorts];
u32 g_upcalls;

void count(u32 port) {
  ++g_count[port];
  ++g_upcalls;
}

int send(u32 port) {
  evtchn_send_t send{port};
  return xen::event_channel_op(EVTCHNOP_send, &send);
}
int close(u32 port) {
  evtchn_close_t close{port};
  return xen::event_channel_op(EVTCHNOP_close, &close);
}
int allocate(u32 domain, u32 remote, u32& port) {
  evtchn_alloc_unbound_t allocation{static_cast<domid_t>(domain), static_cast<domid_t>(remote), 0};
  const int error = xen::event_channel_op(EVTCHNOP_alloc_unbound, &allocation);
  port = allocation.port;
  return error;
}
int connect(u32 domain, u32 remote, u32& port) {
  evtchn_bind_interdomain_t bind{static_cast<domid_t>(domain), remote, 0};
  const int error = xen::event_channel_op(EVTCHNOP_bind_interdomain, &bind);
  port = bind.local_port;
  return error;
}
u32 status(u32 port) {
  evtchn_status_t query{};
  query.dom = DOMID_SELF;
  query.port = port;
  return xen::event_channel_op(EVTCHNOP_status, &query) == 0 ? query.status : ~0u;
}
int bind_ipi(u32& port) {
  evtchn_bind_ipi_t bind{0, 0};
  const int error = xen::event_channel_op(EVTCHNOP_bind_ipi, &bind);
  port = bind.port;
  return error;
}
bool is_pending(u32 port) {
  return (static_cast<volatile xen_ulong_t*>(xen::g_shared->evtchn_pending)[port / 32] >> (port % 32) & 1) !=
         0;
}
u32 upcalls_of(u32 port) { return static_cast<volatile u32*>(g_count)[port]; }

void check_delivery() {
  u32 port = 0;
  check_success(bind_ipi(port), "a port for oneself");
  check_equal(status(port), EVTCHNSTAT_ipi, "is one");
  xen::mask_port(port);
  check_success(send(port), "an event, the port masked");
  xen::unmask_events();
  check_equal(upcalls_of(port), 0, "makes no upcall");
  check(is_pending(port), "but is pending");
  evtchn_unmask_t unmask{port};
  check_success(xen::event_channel_op(EVTCHNOP_unmask, &unmask), "EVTCHNOP_unmask");
  check_equal(upcalls_of(port), 1, "makes the upcall");
  check(!is_pending(port), "which cleared it");
  check_success(send(port), "an event, the port open");
  check_equal(upcalls_of(port), 2, "makes an upcall at once");
  xen::mask_events();
  send(port);
  send(port);
  check_equal(upcalls_of(port), 2, "none while events are masked");
  check(xen::vcpu().evtchn_upcall_pending != 0, "evtchn_upcall_pending says so");
  xen::unmask_events();
  check_equal(upcalls_of(port), 3, "then one for two");
  check_equal(xen::vcpu().evtchn_upcall_mask, 0, "the return unmasks events");
  check_success(close(port), "the port is closed");
  check_equal(status(port), EVTCHNSTAT_closed, "and is");
  check_error(send(port), XEN_EINVAL, "and can't be sent to");
}

void check_pairs() {
  u32 first = 0, second = 0;
  check_success(allocate(DOMID_SELF, DOMID_SELF, first), "an unbound port");
  check_equal(status(first), EVTCHNSTAT_unbound, "waits");
  check_success(send(first), "an event to nobody");
  check_success(connect(DOMID_SELF, first, second), "another is bound to it");
  check(first != second, "the two differ");
  check_equal(status(first), EVTCHNSTAT_interdomain, "the first is bound");
  check_equal(status(second), EVTCHNSTAT_interdomain, "and so is the second");
  xen::unmask_port(first);
  xen::unmask_port(second);
  xen::unmask_events();
  const u32 before = upcalls_of(second);
  check_success(send(first), "an event to the first's other end");
  check_equal(upcalls_of(second), before + 1, "is the second's");
  u32 third = 0;
  check_error(connect(DOMID_SELF, first, third), XEN_EINVAL, "it can't be bound twice");
  check_success(close(first), "the first is closed");
  check(status(second) == EVTCHNSTAT_unbound, "the second waits again");
  for (u32 port = 1; port < kPorts; ++port)
    if (status(port) == EVTCHNSTAT_unbound) close(port);
  check(true, "unbound ports may be closed");
}

void check_abuse() {
  u32 port = 0;
  check_error(send(0), XEN_EINVAL, "port 0 is none");
  const u32 bads[] = {kPorts, 0x7fffffffu, 0xffffffffu};
  for (const u32 bad : bads) {
    if (send(bad) != -XEN_EINVAL) check(false, "an event to a port that can't be");
    if (close(bad) != -XEN_EINVAL) check(false, "a close of a port that can't be");
    evtchn_unmask_t unmask{bad};
    if (xen::event_channel_op(EVTCHNOP_unmask, &unmask) != -XEN_EINVAL)
      check(false, "an unmask of a port that can't be");
    if (connect(DOMID_SELF, bad, port) != -XEN_EINVAL) check(false, "a bind to a port that can't be");
  }
  check(true, "ports that can't be are refused");
  check_error(close(0), XEN_EINVAL, "port 0 can't be closed");
  check_error(allocate(7, 0, port), XEN_ESRCH, "a port of domain 7");
  check_error(connect(7, 1, port), XEN_ESRCH, "a bind to domain 7");
  check_error(xen::bind_virq(NR_VIRQS), XEN_EINVAL, "a virtual interrupt that can't be");
  check_error(xen::bind_virq(0x80000000), XEN_EINVAL, "nor VIRQ 2^31");
  evtchn_bind_virq_t far{VIRQ_DEBUG, 1, 0};
  check_error(xen::event_channel_op(EVTCHNOP_bind_virq, &far), XEN_ENOENT, "a VIRQ of virtual CPU 1");
  const int debug = xen::bind_virq(VIRQ_DEBUG);
  check(debug > 0, "VIRQ_DEBUG can be bound");
  check_error(xen::bind_virq(VIRQ_DEBUG), XEN_EEXIST, "but once");
  check_error(send(static_cast<u32>(debug)), XEN_EINVAL, "and can't be sent");
  check_success(close(static_cast<u32>(debug)), "and is closed");
  evtchn_bind_pirq_t physical{1, 0, 0};
  check(xen::event_channel_op(EVTCHNOP_bind_pirq, &physical) < 0, "no hardware interrupt is to be had");
  evtchn_bind_vcpu_t move{1, 1};
  check(xen::event_channel_op(EVTCHNOP_bind_vcpu, &move) < 0, "no port goes to virtual CPU 1");
}

// All ports there are, and not one more; what the guest wrote to its bitmaps does not matter to Xen.
void check_exhaustion() {
  static u16 ports[kPorts];
  u32 made = 0, port = 0;
  int error = 0;
  while (made < kPorts && (error = bind_ipi(port)) == 0) ports[made++] = static_cast<u16>(port);
  check_error(error, XEN_ENOSPC, "more ports than there are");
  check(made > 900, "most of them were free");
  for (u32 i = 0; i < 32; ++i) xen::g_shared->evtchn_pending[i] = ~0u;
  xen::vcpu().evtchn_pending_sel = ~0u;
  check(bind_ipi(port) == -XEN_ENOSPC, "that all are pending changes nothing");
  for (u32 i = 0; i < 32; ++i) xen::g_shared->evtchn_pending[i] = 0;
  xen::vcpu().evtchn_pending_sel = 0;
  xen::vcpu().evtchn_upcall_pending = 0;
  u32 failed = 0;
  for (u32 i = 0; i < made; ++i) failed += close(ports[i]) != 0 ? 1 : 0;
  check_equal(failed, 0, "all can be closed");
  check_success(bind_ipi(port), "and had again");
  close(port);
}

void wait_for(u32 port, u64 until) {
  while (upcalls_of(port) == 0 && xen::system_time() < until) {
  }
}

// Sets a timer and stops it before it is due, which a slow host may need more than one attempt for. When it
// would have come.
u64 stop_in_time(u32 port) {
  for (u64 delay = 2 * kMillisecond;; delay *= 4) {
    g_count[port] = 0;
    const u64 due = xen::system_time() + delay;
    xen::set_timer_op(due);
    const int error = xen::set_timer_op(0);
    if (xen::system_time() < due) {
      check_success(error, "set_timer_op(0)");
      return due;
    }
    wait_for(port, xen::system_time() + 20 * kMillisecond);
  }
}

void check_timers() {
  const int bound = xen::bind_virq(VIRQ_TIMER);
  check(bound > 0, "VIRQ_TIMER can be bound");
  const u32 port = static_cast<u32>(bound);
  xen::mask_events();
  u64 due = xen::system_time() + 2 * kMillisecond;
  check_success(xen::set_timer_op(due), "set_timer_op");
  g_count[port] = 0;
  xen::unmask_events();
  wait_for(port, due + 2000 * kMillisecond);
  check(upcalls_of(port) == 1, "comes in a loop");
  check(xen::system_time() >= due, "not before its time");
  g_count[port] = 0;
  xen::mask_events();
  due = xen::system_time() + 2 * kMillisecond;
  xen::set_timer_op(due);
  check_success(xen::sched_op(SCHEDOP_block, nullptr), "SCHEDOP_block returns");
  check_equal(upcalls_of(port), 1, "with the timer's event");
  check(xen::system_time() >= due, "not before it was due");
  const u64 stopped = stop_in_time(port);
  wait_for(port, stopped + 6 * kMillisecond);
  check_equal(upcalls_of(port), 0, "stops it");
  vcpu_set_singleshot_timer_t single{xen::system_time() + kMillisecond, 0};
  check_success(xen::vcpu_op(VCPUOP_set_singleshot_timer, 0, &single), "VCPUOP_set_singleshot_timer");
  wait_for(port, xen::system_time() + 2000 * kMillisecond);
  check_equal(upcalls_of(port), 1, "comes once");
  g_count[port] = 0;
  single.timeout_abs_ns = 1;
  xen::vcpu_op(VCPUOP_set_singleshot_timer, 0, &single);
  wait_for(port, xen::system_time() + 2000 * kMillisecond);
  check_equal(upcalls_of(port), 1, "a time that is past comes at once");
  xen::mask_port(port);
  sched_poll_t poll{};
  evtchn_port_t ports[] = {port};
  poll.ports.p = ports;
  poll.nr_ports = 1;
  poll.timeout = xen::system_time() + 3 * kMillisecond;
  xen::mask_events();
  check_success(xen::sched_op(SCHEDOP_poll, &poll), "SCHEDOP_poll");
  check(xen::system_time() >= poll.timeout, "ends at its time");
  xen::set_timer_op(xen::system_time() + kMillisecond);
  poll.timeout = xen::system_time() + 2000 * kMillisecond;
  check_success(xen::sched_op(SCHEDOP_poll, &poll), "SCHEDOP_poll of the timer's port");
  check(is_pending(port), "ends when that is pending");
  check(xen::system_time() < poll.timeout, "before its time");
  xen::set_timer_op(0);
  xen::vcpu_op(VCPUOP_stop_singleshot_timer, 0, nullptr);
  check_success(close(port), "the timer's port can be closed");
}

}  // namespace

void guest_main() {
  xen::set_event_handler(count);
  check_delivery();
  check_pairs();
  check_abuse();
  check_exhaustion();
  check_timers();
}
