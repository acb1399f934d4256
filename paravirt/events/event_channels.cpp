// The states of ports, and the pending bits in shared_info.
#include "paravirt/events/event_channels.h"

#include <algorithm>
#include <cstddef>

#include "base/check.h"

namespace ringshift::xen {

namespace {
using Shared = xen32::shared_info_x86_32;
constexpr std::size_t kPending = offsetof(Shared, evtchn_pending);
constexpr std::size_t kMask = offsetof(Shared, evtchn_mask);
// Virtual CPU 0, the only one.
constexpr std::size_t kVcpu = offsetof(Shared, vcpu_info);
constexpr std::size_t kSelector = kVcpu + offsetof(xen32::vcpu_info_x86_32, evtchn_pending_sel);
constexpr std::size_t kUpcallPending = kVcpu + offsetof(xen32::vcpu_info_x86_32, evtchn_upcall_pending);
static_assert(sizeof(Shared::evtchn_pending) * 8 == EventChannels::kPorts);
}  // namespace

EventChannels::EventChannels(DomainMemory& memory, Mfn shared_info, u16 domain, EventSink& sink)
    : shared_(memory, shared_info), memory_(memory), sink_(sink), domain_(domain) {
  RS_CHECK(domain != kBackendDomain);
}

std::optional<u32> EventChannels::find_free() const {
  for (u32 port = 1; port < kPorts; ++port)
    if (ports_[port].kind == Kind::closed) return port;
  return {};
}

void EventChannels::free_port(u32 port) {
  Port& freed = ports_[port];
  if (freed.kind == Kind::virq) virqs_[freed.remote] = 0;
  if (freed.kind == Kind::interdomain) {
    // The other end waits for a new connection from this domain.
    if (freed.remote_domain == kBackendDomain)
      backends_[freed.remote].guest_port = 0;
    else
      ports_[freed.remote] = {Kind::unbound, domain_, 0};
  }
  freed = {};
  change_bit(kPending, port, false);
}

std::optional<u32> EventChannels::offer() {
  const std::optional<u32> port = find_free();
  if (port) ports_[*port] = {Kind::unbound, kBackendDomain, 0};
  return port;
}

std::optional<u32> EventChannels::connect(u32 guest_port, EventListener& listener) {
  if (!is_valid(guest_port)) return {};
  Port& port = ports_[guest_port];
  if (port.kind != Kind::unbound || port.remote_domain != kBackendDomain) return {};
  const auto free = std::find_if(backends_.begin() + 1, backends_.end(),
                                 [](const BackendPort& end) { return end.listener == nullptr; });
  const auto number = static_cast<u32>(free - backends_.begin());
  if (free == backends_.end()) backends_.emplace_back();
  backends_[number] = {&listener, guest_port};
  port = {Kind::interdomain, kBackendDomain, number};
  return number;
}

void EventChannels::disconnect(u32 backend_port) {
  if (backend_port == 0 || backend_port >= backends_.size()) return;
  BackendPort& end = backends_[backend_port];
  if (end.guest_port != 0) ports_[end.guest_port] = {Kind::unbound, kBackendDomain, 0};
  end = {};
}

// A guest's port gets connected to a back end whose channel it closed before.
int EventChannels::connect_to_backend(u32 port, u32 backend_port) {
  if (backend_port == 0 || backend_port >= backends_.size()) return -xen32::XEN_EINVAL;
  BackendPort& end = backends_[backend_port];
  if (end.listener == nullptr || end.guest_port != 0) return -xen32::XEN_EINVAL;
  end.guest_port = port;
  ports_[port] = {Kind::interdomain, kBackendDomain, backend_port};
  return 0;
}

void EventChannels::notify(u32 backend_port) {
  if (backend_port == 0 || backend_port >= backends_.size()) return;
  if (const u32 port = backends_[backend_port].guest_port; port != 0) set_pending(port);
}

void EventChannels::raise_virq(u32 virq) {
  if (virq < virqs_.size() && virqs_[virq] != 0) set_pending(virqs_[virq]);
}

bool EventChannels::is_pending(u32 port) const { return is_valid(port) && test_bit(kPending, port); }

// An event is an edge of the pending bit. A masked one stays pending without a selector bit.
void EventChannels::set_pending(u32 port) {
  if (change_bit(kPending, port, true)) return;
  if (!test_bit(kMask, port)) select(port);
  sink_.port_pending(port);
}

// The port's word is to be looked at: selector bit, then the upcall flag, each only if it wasn't set.
void EventChannels::select(u32 port) {
  if (change_bit(kSelector, port / 32, true)) return;
  u8 pending = 0;
  shared_.read(kUpcallPending, pending);
  if (pending != 0) return;
  shared_.write(kUpcallPending, u8{1});
  sink_.upcall_pending();
}

int EventChannels::unmask(const xen32::evtchn_unmask& unmask) {
  if (unmask.port >= kPorts) return -xen32::XEN_EINVAL;
  if (change_bit(kMask, unmask.port, false) && test_bit(kPending, unmask.port)) select(unmask.port);
  return 0;
}

bool EventChannels::change_bit(std::size_t bitmap, u32 port, bool value) {
  const std::size_t at = bitmap + port / 32 * sizeof(u32);
  const u32 bit = u32{1} << (port % 32);
  u32 word = 0;
  shared_.read(at, word);
  const bool before = (word & bit) != 0;
  if (before != value) shared_.write(at, word ^ bit);
  return before;
}

bool EventChannels::test_bit(std::size_t bitmap, u32 port) const {
  u32 word = 0;
  shared_.read(bitmap + port / 32 * sizeof(u32), word);
  return (word >> (port % 32) & 1) != 0;
}

}  // namespace ringshift::xen
