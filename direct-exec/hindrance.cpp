// What direct execution asks of the guest's state.
#include "direct-exec/hindrance.h"

#include "cpu-model/control_registers.h"

namespace ringshift {

namespace {

// modify_ldt makes code and data segments that are present; DPL is always 3.
bool ldt_can_hold(const SegmentRegister& segment) {
  if (!segment.usable()) return true;
  constexpr u32 kNeeded = kSegNotSystem | kSegPresent;
  return (segment.attributes & kNeeded) == kNeeded;
}

}  // namespace

Hindrance hindrance(const Cpu& cpu) {
  const VcpuState& state = cpu.state;
  if (!cpu.protected_mode()) return Hindrance::real_mode;
  if (cpu.v86()) return Hindrance::v86;
  if (state.interrupt_shadow != 0) return Hindrance::shadow;
  if ((state.rflags & kFlagTf) != 0) return Hindrance::single_step;
  if (state.pending_dr6 != 0) return Hindrance::debug_trap;
  if ((state.cr0 & (kCr0Ts | kCr0Em)) != 0) return Hindrance::fpu_off;
  if (!cpu.code32()) return Hindrance::code16;
  if (!cpu.stack32()) return Hindrance::stack16;
  if (breakpoints_armed(cpu)) return Hindrance::breakpoints;
  for (const SegmentRegister& segment : state.seg)
    if (!ldt_can_hold(segment)) return Hindrance::segment;
  if (!state.segment(Seg::ss).usable()) return Hindrance::segment;
  return Hindrance::none;
}

}  // namespace ringshift
