// BlockBackend: one disk of a domain's: its nodes in xenstore, the states of its connection, and its ring.
#pragma once

#include <optional>
#include <string>

#include "paravirt/block/block_requests.h"
#include "paravirt/block/block_ring.h"
#include "paravirt/events/event_channels.h"
#include "paravirt/xenstore/store.h"

namespace ringshift::xen {

class BlockBackend final : public EventListener, public StoreWatcher {
 public:
  static constexpr unsigned kMaxDisks = 16;  // xvda to xvdp

  // index: 0 for xvda. Writes the nodes of both ends, and waits for the front end (XenbusStateInitWait).
  BlockBackend(DomainMemory& memory, EventChannels& channels, GrantTable& grants, Store& store, u16 domain,
               unsigned index, DiskImage disk);
  BlockBackend(const BlockBackend&) = delete;
  ~BlockBackend();

  // The guest has put requests into the ring.
  void on_event() override;
  // The front end's state may be another now.
  void on_store_change(const std::string& watched, const std::string& token,
                       const std::string& changed) override;

 private:
  struct Connection {
    MappedGrant grant;
    BlockRing ring;
    u32 port = 0;
  };
  void make_nodes(u16 domain, unsigned index);
  // False: what the front end offers can't be.
  bool connect();
  void disconnect();
  void close_broken(const char* why);
  // False: the ring is broken.
  bool serve(Connection& connection);
  void set_state(xen32::xenbus_state state);

  DomainMemory& memory_;
  EventChannels& channels_;
  GrantTable& grants_;
  Store& store_;
  BlockRequests requests_;
  std::string name_;   // "xvda"
  std::string front_;  // the nodes of each end
  std::string back_;
  xen32::xenbus_state state_ = xen32::XenbusStateUnknown;
  std::optional<Connection> connection_;
  bool complained_ = false;
};

}  // namespace ringshift::xen
