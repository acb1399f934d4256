// I8259Pair: the two cascaded 8259A interrupt controllers of a PC, with their ELCR.
//
// Ports 20h/21h (master), A0h/A1h (slave), 4D0h/4D1h (edge/level control). Input 2 of the master is the
// slave's output. Registers and sequences: Intel 8259A data sheet; ELCR: Intel 82371SB (PIIX3).
#pragma once

#include <array>

#include "base/result.h"
#include "devices/bus.h"
#include "devices/device.h"
#include "devices/interrupt_line.h"

namespace ringshift {

// One 8259A chip; the pair wires two of them together.
class I8259 {
 public:
  // level_capable: the inputs whose ELCR bit can be set.
  I8259(bool master, u8 level_capable) : master_(master), level_capable_(level_capable) {}

  void reset();
  void save(StateWriter& out) const;
  void restore(StateReader& in);

  void set_input(unsigned input, bool level);
  // The INT pin.
  bool output() const { return highest_request() >= 0; }
  // The request that would be served now, or -1.
  int highest_request() const;
  // One INTA cycle: moves the highest request into service and returns its input, or -1 (spurious).
  int take();
  u8 vector_of(unsigned input) const { return static_cast<u8>(vector_base_ | input); }

  u8 read(bool a0);
  void write(bool a0, u8 value);
  u8 elcr() const { return elcr_; }
  void set_elcr(u8 value);

 private:
  void write_icw1(u8 value);
  void write_ocw2(u8 value);
  void write_ocw3(u8 value);
  void write_data(u8 value);
  // Inputs of `set` from highest priority on; 8 if the set is empty.
  unsigned first_in(u8 set) const;
  bool level_triggered(unsigned input) const;
  void end_of_interrupt(unsigned input, bool rotate);
  u8 poll();

  bool master_;
  u8 level_capable_;
  u8 lines_ = 0;    // raw input levels
  u8 request_ = 0;  // IRR
  u8 mask_ = 0;     // IMR
  u8 service_ = 0;  // ISR
  u8 elcr_ = 0;     // 1: level-triggered
  u8 lowest_ = 7;   // the input with the lowest priority
  u8 vector_base_ = 0;
  u8 next_icw_ = 0;  // 0: none awaited
  bool icw4_follows_ = false;
  bool single_ = false;
  bool all_level_ = false;  // ICW1.LTIM
  bool auto_eoi_ = false;
  bool rotate_on_auto_eoi_ = false;
  bool special_mask_ = false;
  bool special_fully_nested_ = false;
  bool read_service_ = false;  // OCW3 chose ISR, not IRR
  bool poll_next_ = false;
};

class I8259Pair final : public Device, public PortHandler, public InterruptSink {
 public:
  // output: the INTR wire; tells the interrupt router of changes.
  explicit I8259Pair(InterruptLine output = {});

  Result<void> attach(IoBus& bus);
  void connect(InterruptLine output);

  // input 0-15; 2 is the cascade and ignored.
  void set_line(unsigned input, bool level) override;
  bool output() const { return master_.output(); }
  // Two INTA cycles: the vector, a spurious 7 or 15 if the request has gone.
  u8 acknowledge();

  std::string_view name() const override { return "pic"; }
  void reset() override;
  void save(StateWriter& out) const override;
  void restore(StateReader& in) override;
  u32 port_read(u16 port, unsigned size) override;
  void port_write(u16 port, unsigned size, u32 value) override;

 private:
  void update();
  I8259 master_;
  I8259 slave_;
  InterruptLine output_;
};

}  // namespace ringshift
