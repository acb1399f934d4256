// HostBridge and IsaBridge: just enough configuration space for guests to recognise them.
#include "devices/pci/pc_bridges.h"

namespace ringshift {

HostBridge::HostBridge() : PciFunction({0x8086, 0x1237, 0x060000, 0x02, 0}) {
  define(0x04, 2, 0x0006, 0);  // memory and bus mastering are always on
  define(0x06, 2, 0x0280, 0);
  define(0x2c, 4, 0, 0);
  // PAM registers: shadow RAM is plain RAM on this board; kept, without effect. SMRAM likewise.
  for (unsigned i = 0; i < 7; ++i) define(0x59 + i, 1, i == 0 ? 0x30 : 0x33, 0x33);
  define(0x72, 1, 0x02, 0x78);
}

// Function 0 of several would set bit 7 of the header type; the board has only this one.
IsaBridge::IsaBridge() : PciFunction({0x8086, 0x7000, 0x060100, 0x00, 0}) {
  define(0x04, 2, 0x0007, 0);
  define(0x06, 2, 0x0200, 0);
  define(0x4c, 1, 0x4d, 0xff);                                       // ISA recovery timer
  define(0x4e, 2, 0x0003, 0xffff);                                   // X-bus chip select
  for (unsigned i = 0; i < 4; ++i) define(0x60 + i, 1, 0x80, 0x8f);  // PIRQ routing: none
  define(0x69, 1, 0x02, 0xfe);                                       // top of memory
}

}  // namespace ringshift
