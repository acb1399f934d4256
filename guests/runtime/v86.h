// Virtual-8086 mode for guests: a TSS with bitmaps, and code that runs at 0800:0000 until it raises an
// exception.
#pragma once

#include "runtime/runtime.h"

constexpr u32 kEflagsVm = 0x20000, kIopl3 = 0x3000;
constexpr u32 kV86Code = 0x8000;  // linear; CS 0800, SS:SP 0900:0800, DS 0B00, ES 0A00

struct BigTss {
  Tss tss;
  u8 redirection[32];  // VME's
  u8 bitmap[8193];     // a set bit forbids a port
};
extern "C" BigTss g_big_tss;

// Loads TR with g_big_tss, which forbids all ports.
void use_big_tss();

// Enters v8086 mode with the code at 0800:0000, filled up with HLT, which is #GP there.
Caught run_v86(const void* code, u32 bytes, u32 flags);
template <u32 n>
Caught run_v86(const u8 (&code)[n], u32 flags) {
  return run_v86(code, n, flags);
}
