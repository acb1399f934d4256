// Where a guest's output goes: a virtual machine's debug port, or what a PC has.
#include "runtime/console.h"

#include "runtime/cpu.h"

namespace {

constexpr u16 kDebugPort = 0xe9, kCom1 = 0x3f8;
constexpr u32 kColumns = 80, kRows = 25;
bool g_has_debug_port;
u32 g_cursor;

void put_serial(u8 c) {
  for (u32 i = 0; i < 100000 && (in8(kCom1 + 5) & 0x20) == 0; ++i) {
  }
  out8(kCom1, c);
}

void put_screen(char c) {
  volatile u16* cells = reinterpret_cast<volatile u16*>(0xb8000);
  asm("" : "+r"(cells));
  if (c == '\n')
    g_cursor += kColumns - g_cursor % kColumns;
  else
    cells[g_cursor++] = static_cast<u16>(0x0700 | static_cast<u8>(c));
  if (g_cursor < kColumns * kRows) return;
  for (u32 i = 0; i < kColumns * (kRows - 1); ++i) cells[i] = cells[i + kColumns];
  for (u32 i = 0; i < kColumns; ++i) cells[kColumns * (kRows - 1) + i] = 0x0720;
  g_cursor = kColumns * (kRows - 1);
}

void put_char(char c) {
  if (g_has_debug_port) {
    out8(kDebugPort, static_cast<u8>(c));
    return;
  }
  if (c == '\n') put_serial('\r');
  put_serial(static_cast<u8>(c));
  put_screen(c);
}

}  // namespace

// The debug port of Bochs, QEMU and Ringshift reads as its own number; a PC's empty port as FFh.
void start_console() {
  g_has_debug_port = in8(kDebugPort) == kDebugPort;
  if (!g_has_debug_port) use_serial_console();
}

void use_serial_console() {
  g_has_debug_port = false;
  out8(kCom1 + 3, 0x83);  // 115200 8N1
  out8(kCom1, 1);
  out8(kCom1 + 1, 0);
  out8(kCom1 + 3, 3);
}

void print(const char* text) {
  for (; *text != 0; ++text) put_char(*text);
}
