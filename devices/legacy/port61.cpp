// Port61: system control port B.
#include "devices/legacy/port61.h"

namespace ringshift {

namespace {

constexpr u64 kRefreshNs = 15'085;  // 18 ticks of the timer's clock

}  // namespace

void Port61::reset() {
  latch_ = 0;
  pit_.set_gate2(false);
}

u32 Port61::port_read(u16, unsigned) {
  const u32 refresh = (clock_.now_ns() / kRefreshNs) & 1;
  const u32 output = pit_.output2() ? 1 : 0;
  return (latch_ & 0x0f) | refresh << 4 | output << 5;
}

void Port61::port_write(u16, unsigned, u32 value) {
  latch_ = value & 0x0f;
  pit_.set_gate2((value & 1) != 0);
}

}  // namespace ringshift
