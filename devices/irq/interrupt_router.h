// InterruptRouter: the board's interrupt wiring: ISA IRQs to PIC and I/O APIC, both to the CPU.
//
// IRQ n reaches PIC input n and I/O APIC input n, IRQ 0 input 2 (as the MADT and the MP table say); inputs 16
// and up reach the I/O APIC alone.
#pragma once

#include "devices/cpu_signals.h"
#include "devices/interrupt_line.h"
#include "devices/irq/i8259.h"
#include "devices/irq/io_apic.h"
#include "devices/irq/local_apic.h"

namespace ringshift {

class InterruptRouter final : public InterruptSink, public RequestListener {
 public:
  // Wires the controllers to each other and to the CPU; all must live as long as the router.
  InterruptRouter(CpuSignals& signals, I8259Pair& pic, LocalApic& local, IoApic& io);
  InterruptRouter(const InterruptRouter&) = delete;
  ~InterruptRouter();

  // A wire to IRQ (or global interrupt) n, to give to a device.
  InterruptLine line(unsigned irq) { return InterruptLine(this, irq); }

  // INTA: the vector, or -1 if the request has gone. For CpuIo::acknowledge_interrupt.
  int acknowledge();

  void set_line(unsigned irq, bool level) override;
  void request_changed() override;
  // Tells the CPU anew, after a reset or restore of the controllers.
  void refresh();

 private:
  // The PIC's output, as an InterruptSink of its own.
  struct PicOutput final : InterruptSink {
    explicit PicOutput(InterruptRouter& owner) : router(owner) {}
    void set_line(unsigned, bool level) override { router.pic_output_changed(level); }
    InterruptRouter& router;
  };
  void pic_output_changed(bool level);
  bool pic_reaches_cpu() const;
  bool pending() const;

  CpuSignals& signals_;
  I8259Pair& pic_;
  LocalApic& local_;
  IoApic& io_;
  PicOutput pic_output_{*this};
  bool intr_ = false;
};

}  // namespace ringshift
