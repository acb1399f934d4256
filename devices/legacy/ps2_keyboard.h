// Ps2Keyboard: a PS/2 keyboard: its commands, and the queue of codes it sends.
#pragma once

#include <array>
#include <span>

#include "base/archive.h"
#include "base/types.h"

namespace ringshift {

class Ps2Keyboard {
 public:
  void reset();
  void save(StateWriter& out) const;
  void restore(StateReader& in);

  // A byte from the host.
  void write(u8 value);
  // A key's codes; dropped as a whole if scanning is off or the buffer is full.
  void key(std::span<const u8> codes);
  bool empty() const { return count_ == 0; }
  u8 pop();

 private:
  void put(u8 value);
  void argument(u8 value);
  void defaults();

  std::array<u8, 64> queue_{};
  u8 head_ = 0;
  u8 count_ = 0;
  u8 pending_ = 0;  // a command that awaits its argument
  u8 leds_ = 0;
  u8 scan_set_ = 2;
  bool scanning_ = true;
  u8 last_ = 0;  // for "resend"
};

}  // namespace ringshift
