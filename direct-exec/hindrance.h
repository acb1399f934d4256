// Hindrance: why the guest's code can't run directly at the moment, and the interpreter takes it.
#pragma once

#include <array>
#include <string_view>

#include "cpu-model/cpu.h"

namespace ringshift {

enum class Hindrance : u8 {
  none,
  real_mode,
  v86,
  code16,
  stack16,
  segment,      // of a kind that the host's LDT doesn't take
  single_step,  // TF
  breakpoints,  // armed debug registers
  shadow,       // after STI, MOV SS: the next instruction
  fpu_off,      // CR0.TS or EM: x87 and SSE must trap, and can't be made to
  debug_trap,   // a #DB that waits
};
inline constexpr std::array<std::string_view, 11> kHindranceNames{
    "",   "real mode",         "v8086 mode",       "16-bit code", "16-bit stack", "segments",
    "TF", "armed breakpoints", "interrupt shadow", "CR0.TS, EM",  "waiting #DB"};

Hindrance hindrance(const Cpu& cpu);

}  // namespace ringshift
