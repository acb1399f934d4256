// Accesses of the CPU to the board, and their trace (-d io).
#include "machine/board_io.h"

namespace ringshift {

u32 BoardIo::port_in(u16 port, unsigned size) {
  const u32 value = board_.ports().read(port, size);
  if (trace_.on(TracePoint::io)) trace_.write("io: in  {:04x} {} = {:x}\n", port, size, value);
  return value;
}

void BoardIo::port_out(u16 port, unsigned size, u32 value) {
  if (trace_.on(TracePoint::io)) trace_.write("io: out {:04x} {} = {:x}\n", port, size, value);
  board_.ports().write(port, size, value);
}

u64 BoardIo::mmio_read(Gpa gpa, unsigned size) {
  const u64 value = board_.mmio().read(gpa, size);
  if (trace_.on(TracePoint::io)) trace_.write("io: read  {:09x} {} = {:x}\n", gpa, size, value);
  return value;
}

void BoardIo::mmio_write(Gpa gpa, unsigned size, u64 value) {
  if (trace_.on(TracePoint::io)) trace_.write("io: write {:09x} {} = {:x}\n", gpa, size, value);
  board_.mmio().write(gpa, size, value);
}

}  // namespace ringshift
