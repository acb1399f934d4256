// DomainDevices: what answers a domain's events: event channels, grants, the console and xenstore rings, and
// disks.
#pragma once

#include <memory>
#include <vector>

#include "paravirt/block/block_backend.h"
#include "paravirt/console/console_ring.h"
#include "paravirt/domain_builder.h"
#include "paravirt/events/event_channels.h"
#include "paravirt/grants/grant_table.h"
#include "paravirt/xenstore/xenstore_connection.h"

namespace ringshift::xen {

class DomainDevices final : public EventSink {
 public:
  // Makes all of it for a domain that was just built, tells the guest in start_info, and registers the
  // hypercalls.
  DomainDevices(Domain& domain, const BuiltDomain& built, CharBackend& console, std::vector<DiskImage> disks);
  DomainDevices(const DomainDevices&) = delete;

  EventChannels& events() { return events_; }
  GrantTable& grants() { return grants_; }
  Store& store() { return store_; }

  // EventSink.
  void upcall_pending() override { domain_.upcall_pending(); }
  void port_pending(u32) override { domain_.port_pending(); }

 private:
  void register_hypercalls();

  Domain& domain_;
  EventChannels events_;
  GrantTable grants_;
  u32 store_port_;
  u32 console_port_;
  ConsoleRing console_;
  Store store_;
  XenstoreConnection store_connection_;
  std::vector<std::unique_ptr<BlockBackend>> disks_;
};

}  // namespace ringshift::xen
