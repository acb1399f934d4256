// Indices count bytes without end; what lies between them must fit the ring.
#include "paravirt/console/console_ring.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "base/check.h"

namespace ringshift::xen {

namespace {
constexpr u32 kInSize = sizeof(xen32::xencons_interface::in);
constexpr u32 kOutSize = sizeof(xen32::xencons_interface::out);
}  // namespace

ConsoleRing::ConsoleRing(DomainMemory& memory, Mfn ring, EventChannels& channels, u32 guest_port,
                         CharBackend& backend)
    : ring_(memory, ring), channels_(channels), backend_(backend) {
  const std::optional<u32> port = channels.connect(guest_port, *this);
  RS_CHECK(port);
  port_ = *port;
  backend_.set_receiver(this);
}

ConsoleRing::~ConsoleRing() {
  backend_.set_receiver(nullptr);
  channels_.disconnect(port_);
}

void ConsoleRing::on_event() {
  take_output();
  if (can_receive() != 0) backend_.receiver_ready();
}

void ConsoleRing::take_output() {
  u32 taken = 0;
  u32 produced = 0;
  if (!ring_.read(offsetof(Ring, out_cons), taken) || !ring_.read(offsetof(Ring, out_prod), produced)) return;
  const u32 length = produced - taken;
  if (length == 0 || length > kOutSize) return;
  std::array<u8, kOutSize> bytes;
  const u32 at = taken % kOutSize;
  const u32 first = std::min(length, kOutSize - at);
  if (!ring_.read_bytes(offsetof(Ring, out) + at, bytes.data(), first)) return;
  if (!ring_.read_bytes(offsetof(Ring, out), bytes.data() + first, length - first)) return;
  backend_.write({bytes.data(), length});
  ring_.write(offsetof(Ring, out_cons), produced);
  channels_.notify(port_);  // there is room again
}

unsigned ConsoleRing::can_receive() {
  u32 taken = 0;
  u32 produced = 0;
  if (!ring_.read(offsetof(Ring, in_cons), taken) || !ring_.read(offsetof(Ring, in_prod), produced)) return 0;
  const u32 waiting = produced - taken;
  return waiting > kInSize ? 0 : kInSize - waiting;
}

void ConsoleRing::receive(std::span<const u8> bytes) {
  u32 produced = 0;
  if (!ring_.read(offsetof(Ring, in_prod), produced)) return;
  // More than there is room for doesn't come; from a guest that changes its indices, it is cut.
  const auto length = static_cast<u32>(std::min<std::size_t>(bytes.size(), can_receive()));
  if (length == 0) return;
  const u32 at = produced % kInSize;
  const u32 first = std::min(length, kInSize - at);
  ring_.write_bytes(offsetof(Ring, in) + at, bytes.data(), first);
  ring_.write_bytes(offsetof(Ring, in), bytes.data() + first, length - first);
  ring_.write(offsetof(Ring, in_prod), produced + length);
  channels_.notify(port_);
}

}  // namespace ringshift::xen
