// InterruptRouter: from the controllers to the CPU's INTR.
#include "devices/irq/interrupt_router.h"

namespace ringshift {

InterruptRouter::InterruptRouter(CpuSignals& signals, I8259Pair& pic, LocalApic& local, IoApic& io)
    : signals_(signals), pic_(pic), local_(local), io_(io) {
  local_.set_listeners(this, &io_);
  io_.set_listener(this);
  pic_.connect(InterruptLine(&pic_output_, 0));
  refresh();
}

InterruptRouter::~InterruptRouter() {
  local_.set_listeners(nullptr, nullptr);
  io_.set_listener(nullptr);
  pic_.connect({});
}

void InterruptRouter::set_line(unsigned irq, bool level) {
  if (irq < 16) pic_.set_line(irq, level);
  if (irq == 2) return;  // the cascade
  io_.set_line(irq == 0 ? 2 : irq, level);
}

void InterruptRouter::pic_output_changed(bool level) {
  local_.set_lint0(level);
  io_.set_line(0, level);  // as ExtINT wiring has it (MP specification 3.6.2.2)
  request_changed();
}

// With the local APIC off, its pins become INTR and NMI (SDM 3A 11.4.3).
bool InterruptRouter::pic_reaches_cpu() const {
  return !local_.enabled() || local_.lint0_is_ext_int() || io_.passes_ext_int();
}

bool InterruptRouter::pending() const { return local_.pending() || (pic_.output() && pic_reaches_cpu()); }

void InterruptRouter::request_changed() {
  const bool intr = pending();
  if (intr == intr_) return;
  intr_ = intr;
  signals_.set_intr(intr);
}

void InterruptRouter::refresh() {
  intr_ = pending();
  signals_.set_intr(intr_);
}

int InterruptRouter::acknowledge() {
  int vector = -1;
  if (pic_.output() && pic_reaches_cpu())
    vector = pic_.acknowledge();
  else
    vector = local_.acknowledge();
  request_changed();
  return vector;
}

}  // namespace ringshift
