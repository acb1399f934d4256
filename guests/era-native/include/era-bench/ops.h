// The operations of era-bench where it is a program of the host: those that a program has (main.cpp).
#pragma once

#include "runtime/types.h"

namespace ops {

constexpr const char* kInterface = "host";

void write(const char* text);
[[noreturn]] void end(bool good);
u32 tsc_khz();

// Rows that need them are skipped: CPL 3 has no say in IF.
inline void disable_interrupts() {}
inline void enable_interrupts() {}

}  // namespace ops
