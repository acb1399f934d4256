// ConsoleRing: the back end of a Xen console (xen/io/console.h): the guest's ring page to and from a
// CharBackend.
#pragma once

#include "devices/backend/char_backend.h"
#include "paravirt/events/event_channels.h"

namespace ringshift::xen {

class ConsoleRing final : public EventListener, public CharReceiver {
 public:
  // ring: the page's frame; guest_port: one that waits for a back end. backend must outlive this.
  ConsoleRing(DomainMemory& memory, Mfn ring, EventChannels& channels, u32 guest_port, CharBackend& backend);
  ConsoleRing(const ConsoleRing&) = delete;
  ~ConsoleRing();

  // The guest wrote, or has taken input. Indices that can't be are ignored until the guest repairs them.
  void on_event() override;

  unsigned can_receive() override;
  void receive(std::span<const u8> bytes) override;

 private:
  using Ring = xen32::xencons_interface;
  void take_output();

  SharedPage<Ring> ring_;
  EventChannels& channels_;
  CharBackend& backend_;
  u32 port_;
};

}  // namespace ringshift::xen
