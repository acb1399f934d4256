// The states are those of xen/io/xenbus.h, and what happens at each is what Linux's back end does.
#include "paravirt/block/block_backend.h"

#include <fmt/core.h>

#include <charconv>
#include <cstdio>

#include "base/check.h"
#include "base/messages.h"

namespace ringshift::xen {

namespace {
// A number as front ends write it; none if it is anything else.
std::optional<u32> parse(const std::string& text) {
  u32 number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || rest != end) return {};
  return number;
}

void allow(Store& store, const std::string& path, std::vector<Permission> entries) {
  store.make_directory(kPrivilegedDomain, 0, path);
  store.set_permissions(kPrivilegedDomain, 0, path, Permissions(std::move(entries)));
}
}  // namespace

BlockBackend::BlockBackend(DomainMemory& memory, EventChannels& channels, GrantTable& grants, Store& store,
                           u16 domain, unsigned index, DiskImage disk)
    : memory_(memory),
      channels_(channels),
      grants_(grants),
      store_(store),
      requests_(std::move(disk), grants) {
  RS_CHECK(index < kMaxDisks);
  make_nodes(domain, index);
  store_.watch(kPrivilegedDomain, front_ + "/state", "", *this);
}

BlockBackend::~BlockBackend() {
  store_.unwatch_all(*this);
  disconnect();
}

void BlockBackend::make_nodes(u16 domain, unsigned index) {
  // Xen's numbers for /dev/xvd*: major 202, sixteen minors a disk.
  const std::string device = std::to_string(202u << 8 | index << 4);
  name_ = fmt::format("xvd{}", static_cast<char>('a' + index));
  front_ = fmt::format("/local/domain/{}/device/vbd/{}", domain, device);
  back_ = fmt::format("/local/domain/0/backend/vbd/{}/{}", domain, device);
  const bool read_only = requests_.disk().read_only();

  allow(store_, back_, {{kPrivilegedDomain, 0}, {domain, kStoreRead}});
  store_.set(back_ + "/frontend", front_);
  store_.set(back_ + "/frontend-id", std::to_string(domain));
  store_.set(back_ + "/online", "1");
  store_.set(back_ + "/removable", "0");
  store_.set(back_ + "/bootable", "1");
  store_.set(back_ + "/dev", name_);
  store_.set(back_ + "/type", "file");
  store_.set(back_ + "/mode", read_only ? "r" : "w");
  store_.set(back_ + "/device-type", "disk");
  store_.set(back_ + "/feature-flush-cache", "1");
  store_.set(back_ + "/feature-barrier", "0");
  store_.set(back_ + "/feature-discard", read_only ? "0" : "1");
  set_state(xen32::XenbusStateInitWait);

  allow(store_, front_, {{domain, 0}, {kPrivilegedDomain, kStoreRead}});
  store_.set(front_ + "/backend", back_);
  store_.set(front_ + "/backend-id", "0");
  store_.set(front_ + "/virtual-device", device);
  store_.set(front_ + "/device-type", "disk");
  store_.set(front_ + "/state", std::to_string(xen32::XenbusStateInitialising));
}

void BlockBackend::set_state(xen32::xenbus_state state) {
  if (state == state_) return;
  state_ = state;
  store_.set(back_ + "/state", std::to_string(state));
}

void BlockBackend::on_store_change(const std::string&, const std::string&, const std::string&) {
  switch (parse(store_.get(front_ + "/state")).value_or(xen32::XenbusStateUnknown)) {
    case xen32::XenbusStateInitialising:
      // A front end begins again.
      if (state_ == xen32::XenbusStateClosed) set_state(xen32::XenbusStateInitWait);
      break;
    case xen32::XenbusStateInitialised:
    case xen32::XenbusStateConnected:
      if (!connection_ && (state_ == xen32::XenbusStateInitWait || state_ == xen32::XenbusStateClosed) &&
          !connect())
        close_broken("its front end offers no ring page or event channel that there is");
      break;
    case xen32::XenbusStateClosing:
      disconnect();
      set_state(xen32::XenbusStateClosing);
      break;
    case xen32::XenbusStateUnknown:  // the node is gone
    case xen32::XenbusStateClosed:
      disconnect();
      set_state(xen32::XenbusStateClosed);
      break;
    default:
      break;
  }
}

bool BlockBackend::connect() {
  const std::string protocol = store_.get(front_ + "/protocol");
  if (!protocol.empty() && protocol != XEN_IO_PROTO_ABI_X86_32) return false;
  const std::optional<u32> reference = parse(store_.get(front_ + "/ring-ref"));
  const std::optional<u32> guest_port = parse(store_.get(front_ + "/event-channel"));
  if (!reference || !guest_port) return false;
  std::optional<MappedGrant> grant = grants_.map(*reference);
  if (!grant) return false;
  BlockRing ring(memory_, grant->frame());
  if (!ring.attach()) return false;
  const std::optional<u32> port = channels_.connect(*guest_port, *this);
  if (!port) return false;
  connection_.emplace(Connection{std::move(*grant), ring, *port});

  store_.set(back_ + "/sectors", std::to_string(requests_.disk().sectors()));
  store_.set(back_ + "/info", std::to_string(requests_.disk().read_only() ? VDISK_READONLY : 0));
  store_.set(back_ + "/sector-size", std::to_string(DiskImage::kSector));
  store_.set(back_ + "/physical-sector-size", std::to_string(DiskImage::kSector));
  set_state(xen32::XenbusStateConnected);
  on_event();  // requests may be there already
  return true;
}

void BlockBackend::disconnect() {
  if (!connection_) return;
  channels_.disconnect(connection_->port);
  connection_.reset();
}

void BlockBackend::close_broken(const char* why) {
  disconnect();
  if (!complained_) tell("xen: disk {} is closed: {}", name_, why);
  complained_ = true;
  set_state(xen32::XenbusStateClosing);
}

void BlockBackend::on_event() {
  if (connection_ && !serve(*connection_)) close_broken("its ring is broken");
}

bool BlockBackend::serve(Connection& connection) {
  // The guest stands still, so there are at most a ring's worth.
  xen32::blkif_request request;
  BlockRing::Next next = connection.ring.next(request);
  for (; next == BlockRing::Next::request; next = connection.ring.next(request)) {
    if (!connection.ring.respond(request, requests_.execute(request))) return false;
  }
  if (next == BlockRing::Next::broken || !connection.ring.ask_for_event()) return false;
  bool notify = false;
  if (!connection.ring.publish(notify)) return false;
  if (notify) channels_.notify(connection.port);
  return true;
}

}  // namespace ringshift::xen
