// The guest's console: the debug port E9h where the machine has one, else COM1 and the VGA text screen.
#pragma once

#include "runtime/types.h"

extern "C" {  // assembly calls them too
void start_console();
// From now on COM1 and the screen, even where there is a debug port.
void use_serial_console();
void print(const char* text);
void print_hex(u32 value);
void print_decimal(u32 value);
}
