// SYSENTER and SYSEXIT (SDM vol. 3A 5.8.7). Inline, for helpers that may call nothing.
#pragma once

#include "cpu-model/transfer_segments.h"

namespace ringshift {

namespace detail {

inline constexpr u8 kAccessedCode = kSegCode | kSegWritable | kSegAccessed;
inline constexpr u8 kAccessedData = kSegWritable | kSegAccessed;

// The flat segments that both instructions load without looking at any table.
inline SegmentRegister flat_segment(u32 selector, u8 type, u8 level) {
  const u32 attributes =
      type | kSegNotSystem | (u32{level} << kSegDplShift) | kSegPresent | kSegBig | kSegGranular;
  return {static_cast<u16>(selector), 0, attributes, 0xffffffff, 0, 0};
}

inline Outcome<u32> sysenter_selector(const Cpu& cpu) {
  const u32 selector = cpu.state.sysenter_cs & 0xfffc;
  if (!cpu.protected_mode() || selector == 0) return raise(Fault::gp());
  return selector;
}

}  // namespace detail

// Changes state only if it succeeds.
inline Outcome<> sysenter(Cpu& cpu) {
  const u32 selector = RS_TRY(detail::sysenter_selector(cpu));
  cpu.state.rflags &= ~u64{kFlagVm | kFlagIf};
  cpu.state.segment(Seg::ss) = detail::flat_segment(selector + 8, detail::kAccessedData, 0);
  cpu.state.set_reg32(kEsp, static_cast<u32>(cpu.state.sysenter_esp));
  commit_code(cpu, detail::flat_segment(selector, detail::kAccessedCode, 0),
              static_cast<u32>(cpu.state.sysenter_eip));
  return {};
}

inline Outcome<> sysexit(Cpu& cpu) {
  const u32 selector = RS_TRY(detail::sysenter_selector(cpu));
  if (cpu.state.cpl != 0) return raise(Fault::gp());
  cpu.state.segment(Seg::ss) = detail::flat_segment((selector + 24) | 3, detail::kAccessedData, 3);
  cpu.state.set_reg32(kEsp, cpu.state.reg32(kEcx));
  commit_code(cpu, detail::flat_segment((selector + 16) | 3, detail::kAccessedCode, 3),
              cpu.state.reg32(kEdx));
  return {};
}

}  // namespace ringshift
