// A domain's devices put together.
#include "paravirt/domain_devices.h"

#include "paravirt/domain_nodes.h"

namespace ringshift::xen {

namespace {

constexpr u32 kGrantFrames = 32;

std::vector<Mfn> share_frames(Domain& domain) {
  std::vector<Mfn> frames;
  Mfn mfn = 0;
  while (frames.size() < kGrantFrames && domain.share_frame(mfn)) frames.push_back(mfn);
  return frames;
}

// The builder's channels are the first of a domain's, so there is one.
u32 offer(EventChannels& events) {
  const auto port = events.offer();
  RS_CHECK(port.has_value());
  return *port;
}

}  // namespace

DomainDevices::DomainDevices(Domain& domain, const BuiltDomain& built, CharBackend& console,
                             std::vector<DiskImage> disks)
    : domain_(domain),
      events_(domain, domain.info.mfn(), kDomainId, *this),
      grants_(domain, share_frames(domain), kDomainId),
      store_port_(offer(events_)),
      console_port_(offer(events_)),
      console_(domain, built.console_ring, events_, console_port_, console),
      store_connection_(domain, built.store_ring, events_, store_port_, store_, kDomainId) {
  grants_.permit(GNTTAB_RESERVED_CONSOLE, built.console_ring);
  grants_.permit(GNTTAB_RESERVED_XENSTORE, built.store_ring);
  set_start_channels(domain, built, store_port_, console_port_);
  domain.raise_virq = [this](u32 virq) { events_.raise_virq(virq); };
  domain.port_is_pending = [this](u32 port) { return events_.is_pending(port); };
  make_domain_nodes(store_, {.domain = kDomainId,
                             .memory_bytes = u64{domain.domain_frames} << kPageShift,
                             .store_ring = built.store_ring,
                             .store_port = store_port_,
                             .console_ring = built.console_ring,
                             .console_port = console_port_});
  for (DiskImage& disk : disks) {
    const auto index = static_cast<unsigned>(disks_.size());
    disks_.push_back(
        std::make_unique<BlockBackend>(domain, events_, grants_, store_, kDomainId, index, std::move(disk)));
  }
  register_hypercalls();
}

void DomainDevices::register_hypercalls() {
  HypercallTable& table = domain_.hypercalls;
  table.set(__HYPERVISOR_event_channel_op, "event_channel_op",
            [this](const HypercallArguments& a) { return events_.op(a[0], a[1]); });
  table.set(__HYPERVISOR_event_channel_op_compat, "event_channel_op_compat",
            [this](const HypercallArguments& a) { return events_.op_compat(a[0]); });
  table.set(__HYPERVISOR_grant_table_op, "grant_table_op",
            [this](const HypercallArguments& a) { return grants_.op(a[0], a[1], a[2]); });
}

}  // namespace ringshift::xen
