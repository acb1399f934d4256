// PitCounter: one counter of an 8254, as a function of time in ticks of its clock.
#pragma once

#include "base/archive.h"
#include "base/types.h"

namespace ringshift {

class PitCounter {
 public:
  static constexpr u64 kHz = 1'193'182;
  static constexpr u64 kNever = ~u64{0};
  // The tick that a time lies in, and the first nanosecond of a tick.
  static u64 ticks_at(u64 ns);
  static u64 ns_of(u64 tick);

  void reset(bool gate);
  void save(StateWriter& out) const;
  void restore(StateReader& in);

  // `now` is in ticks and never goes back.
  void write_control(u8 value, u64 now);
  void write(u8 value, u64 now);
  u8 read(u64 now);
  void latch_count(u64 now);
  void latch_status(u64 now);
  void set_gate(bool level, u64 now);

  bool output(u64 now);
  // The first tick after `now` at which OUT rises, or kNever.
  u64 next_rising_edge(u64 now);
  // Ticks between two of them in modes 2 and 3; else 0.
  u32 period() const { return running_ && (mode_ == 2 || mode_ == 3) ? initial_ : 0; }

 private:
  u32 modulus() const { return bcd_ ? 10000 : 0x10000; }
  u32 decode(u16 value) const;
  u16 encode(u32 count) const;
  // Loads the count of a finished write, as the mode says.
  void load(u16 value, u64 now);
  // Takes over a count that waited for the end of a period.
  void advance(u64 now);
  // Ticks counted since the start.
  u64 elapsed(u64 now) const { return running_ ? now - start_ : paused_at_; }
  u32 count(u64 now) const;
  bool output_at(u64 ticks) const;
  u8 status(u64 now);

  u8 mode_ = 3;
  u8 access_ = 3;  // 1 low, 2 high, 3 low then high
  bool bcd_ = false;
  bool gate_ = true;
  bool loaded_ = false;    // a count was written since the control word
  bool started_ = false;   // counting began (modes 1 and 5: triggered)
  bool running_ = false;   // and no gate holds it
  u32 initial_ = 0x10000;  // the count in use
  u32 waiting_ = 0;        // for the end of the period (modes 2 and 3), or 0
  u64 start_ = 0;          // tick at which the count was initial_
  u64 paused_at_ = 0;      // elapsed ticks while not running
  bool write_high_next_ = false;
  bool read_high_next_ = false;
  u8 write_low_ = 0;
  u8 latched_bytes_ = 0;  // count bytes still to be read
  u16 latched_ = 0;
  bool status_latched_ = false;
  u8 status_ = 0;
};

}  // namespace ringshift
