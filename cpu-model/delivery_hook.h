// DeliveryHook: who takes exceptions and interrupts in place of the IDT: a paravirtual interface (paravirt/).
#pragma once

#include "cpu-model/outcome.h"

namespace ringshift {

struct Event;

class DeliveryHook {
 public:
  // As deliver_event (cpu-model/event_delivery.h), with all that it does. Only INT n, INT3 and INTO may fail;
  // their fault is then delivered by this as well.
  virtual Outcome<> deliver(const Event& event) = 0;
  // kEventInterrupt is set and interrupts are open: true if something was delivered. Clears the event.
  virtual bool deliver_interrupt() = 0;

  // INT n of translated code, with EIP past it, in its usual forms. It runs with the guest's x87 and SSE
  // state live in the host's registers: uses general registers alone, and calls nothing (translator/
  // light_transitions.h). Null: there is none.
  enum class Light : u8 {
    refused,    // nothing has changed: deliver() must do it
    next,       // done, and code goes on at EIP in the same mode
    elsewhere,  // done; EIP or the mode may be another
  };
  using LightSoftware = Light (*)(DeliveryHook& hook, u8 vector);
  LightSoftware light_software = nullptr;

 protected:
  ~DeliveryHook() = default;
};

}  // namespace ringshift
