// LocalApic: the local APIC of the only CPU, memory-mapped at FEE00000 (SDM vol. 3A chapter 11).
//
// Its timer counts Clock nanoseconds (a 1 GHz bus) through the divider. A reset leaves it as PC firmware
// would: software-enabled, LINT0 = ExtINT and LINT1 = NMI (virtual wire mode), since no firmware runs here.
#pragma once

#include <array>

#include "base/result.h"
#include "devices/bus.h"
#include "devices/clock.h"
#include "devices/cpu_signals.h"
#include "devices/device.h"

namespace ringshift {

// A message on the APIC bus (SDM 3A 11.6.1, 82093AA 3.2.4).
enum class ApicDelivery : u8 { fixed = 0, lowest = 1, smi = 2, nmi = 4, init = 5, startup = 6, ext_int = 7 };
struct ApicMessage {
  u8 destination;
  bool logical;
  ApicDelivery delivery;
  u8 vector;
  bool level;  // level-triggered: EOI is broadcast
};

// Hears of the end of level-triggered interrupts.
class EoiListener {
 public:
  virtual void end_of_interrupt(u8 vector) = 0;

 protected:
  ~EoiListener() = default;
};

// Hears that what a controller asks of the CPU may have changed.
class RequestListener {
 public:
  virtual void request_changed() = 0;

 protected:
  ~RequestListener() = default;
};

class LocalApic final : public Device, public MmioHandler {
 public:
  static constexpr Gpa kBase = 0xfee00000;
  static constexpr u64 kTimerHz = 1'000'000'000;

  LocalApic(Clock& clock, CpuSignals& signals);

  Result<void> attach(MmioBus& bus);
  void set_listeners(RequestListener* requests, EoiListener* eoi);

  // IA32_APIC_BASE was written: bit 11 enables; clearing it resets the APIC. Relocation is ignored.
  void set_apic_base(u64 value);
  bool enabled() const { return globally_enabled_; }

  // Takes a message if it is for this APIC; false if it isn't.
  bool deliver(const ApicMessage& message);
  // The local interrupt pins. LINT0 is the PIC's output, LINT1 the NMI wire.
  void set_lint0(bool level);
  void set_lint1(bool level);
  // LINT0 passes the PIC's interrupts (ExtINT, unmasked).
  bool lint0_is_ext_int() const;

  // An interrupt above the processor priority waits.
  bool pending() const;
  // Moves it into service; -1 if there is none.
  int acknowledge();

  std::string_view name() const override { return "lapic"; }
  void reset() override;
  void save(StateWriter& out) const override;
  void restore(StateReader& in) override;
  u64 mmio_read(u64 offset, unsigned size) override;
  void mmio_write(u64 offset, unsigned size, u64 value) override;

 private:
  enum Lvt : unsigned { timer, thermal, performance, lint0, lint1, error, kLvtCount };
  using Vectors = std::array<u32, 8>;  // 256 bits

  void power_up();
  bool software_enabled() const { return (spurious_ & 0x100) != 0; }
  u32 read_register(unsigned index);
  void write_register(unsigned index, u32 value);
  void write_lvt(Lvt entry, u32 value);
  void write_spurious(u32 value);
  void write_eoi();
  void write_icr_low(u32 value);
  void accept(u8 vector, bool level);
  void trigger_lvt(Lvt entry);
  void raise_error(u32 bits);
  u8 processor_priority() const;
  bool matches(const ApicMessage& message) const;
  void changed();

  // The timer (SDM 3A 11.5.4).
  unsigned timer_divisor() const;
  bool timer_periodic() const { return ((lvt_[timer] >> 17) & 3) == 1; }
  u32 timer_current();
  void start_timer(u32 count);
  void write_divide(u32 value);
  void run_expired_timer();
  void arm_timer(u64 now);
  void timer_due();

  CpuSignals& signals_;
  Clock& clock_;
  Clock::Timer timer_due_;
  RequestListener* requests_ = nullptr;
  EoiListener* eoi_ = nullptr;

  bool globally_enabled_ = true;
  u32 id_ = 0;
  u32 task_priority_ = 0;
  u32 logical_destination_ = 0;
  u32 destination_format_ = 0xffffffff;
  u32 spurious_ = 0xff;
  u32 errors_seen_ = 0;   // collected since the last write of ESR
  u32 error_status_ = 0;  // what ESR reads
  u32 icr_low_ = 0;
  u32 icr_high_ = 0;
  std::array<u32, kLvtCount> lvt_{};
  Vectors in_service_{};
  Vectors trigger_mode_{};
  Vectors requested_{};
  bool lint_level_[2] = {};
  u32 timer_initial_ = 0;
  u32 timer_divide_ = 0;
  u32 timer_from_ = 0;            // the count that was loaded at timer_start_; 0: stopped
  bool timer_making_up_ = false;  // the next interrupt is one that was missed
  u64 timer_due_ns_ = 0;          // when the expiry that the timer waits for is due
  u64 timer_start_ = 0;           // Clock ns
};

}  // namespace ringshift
