// Numbers on the console.
#include "runtime/console.h"

void print_hex(u32 value) {
  char text[9];
  for (u32 i = 0; i < 8; ++i) text[i] = "0123456789abcdef"[value >> (28 - 4 * i) & 15];
  text[8] = 0;
  print(text);
}

void print_decimal(u32 value) {
  char text[11];
  u32 at = sizeof text - 1;
  text[at] = 0;
  do text[--at] = static_cast<char>('0' + value % 10);
  while ((value /= 10) != 0);
  print(text + at);
}
