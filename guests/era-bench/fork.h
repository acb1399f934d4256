// fork(), and what makes its copy cheap: frames are shared until one of the two writes.
#pragma once

#include "era-bench/process.h"

// A copy of the current process, which returns 0 to it from the call whose frame this is.
void fork_current(const TrapFrame& frame);
// A page fault of a program, or of the kernel on its behalf: true if it was ours to cure (a page of heap or
// stack that was never touched, or a write to a shared one).
bool cure_page_fault(u32 linear, u32 error);
