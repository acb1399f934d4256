// HYPERVISOR_event_channel_op (xen/event_channel.h): what each command checks, and what it answers.
#include <cstddef>

#include "paravirt/events/event_channels.h"

namespace ringshift::xen {

using namespace xen32;

// A command that only takes, and one that also answers in its argument.
template <class Argument>
int EventChannels::take(Gva at, int (EventChannels::*handler)(const Argument&)) {
  Argument argument;
  return memory_.copy_from_guest(argument, at) ? (this->*handler)(argument) : -XEN_EFAULT;
}

template <class Argument>
int EventChannels::answer(Gva at, int (EventChannels::*handler)(Argument&)) {
  Argument argument;
  if (!memory_.copy_from_guest(argument, at)) return -XEN_EFAULT;
  const int error = (this->*handler)(argument);
  if (error != 0) return error;
  return memory_.copy_to_guest(at, argument) ? 0 : -XEN_EFAULT;
}

int EventChannels::op(u32 command, Gva argument) {
  switch (command) {
    case EVTCHNOP_bind_interdomain:
      return answer(argument, &EventChannels::bind_interdomain);
    case EVTCHNOP_bind_virq:
      return answer(argument, &EventChannels::bind_virq);
    case EVTCHNOP_bind_pirq:
      return -XEN_EPERM;  // this domain has no hardware
    case EVTCHNOP_close:
      return take(argument, &EventChannels::close);
    case EVTCHNOP_send:
      return take(argument, &EventChannels::send);
    case EVTCHNOP_status:
      return answer(argument, &EventChannels::status);
    case EVTCHNOP_alloc_unbound:
      return answer(argument, &EventChannels::alloc_unbound);
    case EVTCHNOP_bind_ipi:
      return answer(argument, &EventChannels::bind_ipi);
    case EVTCHNOP_bind_vcpu:
      return take(argument, &EventChannels::bind_vcpu);
    case EVTCHNOP_unmask:
      return take(argument, &EventChannels::unmask);
    case EVTCHNOP_reset:
      return take(argument, &EventChannels::reset);
    default:
      return -XEN_ENOSYS;  // the FIFO ABI among others; a guest goes on with 2 levels then
  }
}

int EventChannels::op_compat(Gva argument) {
  u32 command = 0;
  if (!memory_.copy_from_guest(command, argument)) return -XEN_EFAULT;
  // These came after the compatibility call.
  if (command > EVTCHNOP_unmask) return -XEN_ENOSYS;
  return op(command, argument + static_cast<u32>(offsetof(evtchn_op, u)));
}

int EventChannels::error_of_domain(u16 domain) { return domain == kBackendDomain ? -XEN_EPERM : -XEN_ESRCH; }

int EventChannels::alloc_unbound(evtchn_alloc_unbound& alloc) {
  if (!is_self(alloc.dom)) return error_of_domain(alloc.dom);
  const std::optional<u32> port = find_free();
  if (!port) return -XEN_ENOSPC;
  ports_[*port] = {Kind::unbound, is_self(alloc.remote_dom) ? domain_ : alloc.remote_dom, 0};
  alloc.port = *port;
  return 0;
}

int EventChannels::bind_interdomain(evtchn_bind_interdomain& bind) {
  if (!is_self(bind.remote_dom) && bind.remote_dom != kBackendDomain) return -XEN_ESRCH;
  const std::optional<u32> port = find_free();
  if (!port) return -XEN_ENOSPC;
  if (is_self(bind.remote_dom)) {
    if (!is_valid(bind.remote_port)) return -XEN_EINVAL;
    Port& remote = ports_[bind.remote_port];
    if (remote.kind != Kind::unbound || remote.remote_domain != domain_) return -XEN_EINVAL;
    remote = {Kind::interdomain, domain_, *port};
    ports_[*port] = {Kind::interdomain, domain_, bind.remote_port};
  } else if (const int error = connect_to_backend(*port, bind.remote_port); error != 0) {
    return error;
  }
  bind.local_port = *port;
  // The other end may have sent before it was bound.
  set_pending(*port);
  return 0;
}

int EventChannels::bind_virq(evtchn_bind_virq& bind) {
  if (bind.virq >= virqs_.size()) return -XEN_EINVAL;
  if (bind.vcpu != 0) return -XEN_ENOENT;
  if (virqs_[bind.virq] != 0) return -XEN_EEXIST;
  const std::optional<u32> port = find_free();
  if (!port) return -XEN_ENOSPC;
  ports_[*port] = {Kind::virq, 0, bind.virq};
  virqs_[bind.virq] = *port;
  bind.port = *port;
  return 0;
}

int EventChannels::bind_ipi(evtchn_bind_ipi& bind) {
  if (bind.vcpu != 0) return -XEN_ENOENT;
  const std::optional<u32> port = find_free();
  if (!port) return -XEN_ENOSPC;
  ports_[*port] = {Kind::ipi, 0, 0};
  bind.port = *port;
  return 0;
}

int EventChannels::bind_vcpu(const evtchn_bind_vcpu& bind) {
  if (bind.vcpu != 0) return -XEN_ENOENT;
  if (!is_valid(bind.port)) return -XEN_EINVAL;
  const Kind kind = ports_[bind.port].kind;
  return kind == Kind::unbound || kind == Kind::interdomain ? 0 : -XEN_EINVAL;
}

int EventChannels::close(const evtchn_close& close) {
  if (!is_valid(close.port) || ports_[close.port].kind == Kind::closed) return -XEN_EINVAL;
  free_port(close.port);
  return 0;
}

int EventChannels::send(const evtchn_send& send) {
  if (!is_valid(send.port)) return -XEN_EINVAL;
  const Port port = ports_[send.port];
  switch (port.kind) {
    case Kind::interdomain:
      if (port.remote_domain == kBackendDomain)
        backends_[port.remote].listener->on_event();
      else
        set_pending(port.remote);
      return 0;
    case Kind::ipi:
      set_pending(send.port);
      return 0;
    case Kind::unbound:
      return 0;  // nobody hears it
    default:
      return -XEN_EINVAL;
  }
}

int EventChannels::status(evtchn_status& status) {
  if (!is_self(status.dom)) return error_of_domain(status.dom);
  if (status.port >= kPorts) return -XEN_EINVAL;
  const Port& port = ports_[status.port];
  status.vcpu = 0;
  switch (port.kind) {
    case Kind::closed:
      status.status = EVTCHNSTAT_closed;
      break;
    case Kind::unbound:
      status.status = EVTCHNSTAT_unbound;
      status.u.unbound.dom = port.remote_domain;
      break;
    case Kind::interdomain:
      status.status = EVTCHNSTAT_interdomain;
      status.u.interdomain.dom = port.remote_domain;
      status.u.interdomain.port = port.remote;
      break;
    case Kind::virq:
      status.status = EVTCHNSTAT_virq;
      status.u.virq = port.remote;
      break;
    case Kind::ipi:
      status.status = EVTCHNSTAT_ipi;
      break;
  }
  return 0;
}

int EventChannels::reset(const evtchn_reset& reset) {
  if (!is_self(reset.dom)) return error_of_domain(reset.dom);
  for (u32 port = 1; port < kPorts; ++port)
    if (ports_[port].kind != Kind::closed) free_port(port);
  return 0;
}

}  // namespace ringshift::xen
