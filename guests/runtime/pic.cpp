// Programming of the 8259s and of the 8254's counter 0.
#include "runtime/pic.h"

void start_pics() {
  out8(0x20, 0x11);
  out8(0xa0, 0x11);
  out8(0x21, kPicVectors);
  out8(0xa1, kPicVectors + 8);
  out8(0x21, 4);
  out8(0xa1, 2);
  out8(0x21, 1);
  out8(0xa1, 1);
  out8(0x21, 0xff);
  out8(0xa1, 0xff);
}

void end_of_interrupt(unsigned irq) {
  if (irq >= 8) out8(0xa0, 0x20);
  out8(0x20, 0x20);
}

void program_timer(u8 mode, u16 count) {
  out8(0x43, static_cast<u8>(0x30 | mode << 1));
  out8(0x40, static_cast<u8>(count));
  out8(0x40, static_cast<u8>(count >> 8));
}

void wait_for_timer() {
  do out8(0x43, 0xe2);
  while ((in8(0x40) & 0x80) == 0);
}

bool request_timer() {
  out8(0x21, 0xff);
  program_timer(0, 100);
  out8(0x21, 0xfe);
  for (u32 i = 0; i < 100000000; ++i) {
    out8(0x20, 0x0a);
    if ((in8(0x20) & 1) != 0) return true;
  }
  return false;
}
