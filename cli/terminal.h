// Raw mode of the terminal on stdin, put back on every way out.
#pragma once

namespace ringshift {

// The terminal belongs to the process, so its saved mode does too: these are functions over one hidden state.

// Enters raw mode if stdin is a terminal; keeps output processing, as QEMU does, so that "\n" still begins a
// line. Installs the atexit hook.
void enter_raw_terminal();
// Puts the mode back that was found. Safe in signal handlers, and to call twice.
void restore_terminal();
// Makes signals that stop the program (crashes, abort) restore the terminal and end with status 10.
void restore_terminal_on_crash();

}  // namespace ringshift
