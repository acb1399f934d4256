// Port92: system control port A.
#include "devices/legacy/port92.h"

namespace ringshift {

u32 Port92::port_read(u16, unsigned) { return (latch_ & ~0x03u) | (a20_.open() ? 2 : 0) | (latch_ & 1u); }

void Port92::port_write(u16, unsigned, u32 value) {
  const bool reset_edge = (value & 1) != 0 && (latch_ & 1) == 0;
  latch_ = static_cast<u8>(value) & 0xfd;
  a20_.set_open((value & 2) != 0);
  if (reset_edge) power_.reset();
}

}  // namespace ringshift
