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

 protected:
  ~DeliveryHook() = default;
};

}  // namespace ringshift
