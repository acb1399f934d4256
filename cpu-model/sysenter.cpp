// SYSENTER and SYSEXIT (SDM vol. 3A 5.8.7).
#include "cpu-model/far_transfer.h"
#include "cpu-model/transfer_segments.h"

namespace ringshift {

namespace {

constexpr u8 kAccessedCode = kSegCode | kSegWritable | kSegAccessed;
constexpr u8 kAccessedData = kSegWritable | kSegAccessed;

// The flat segments that both instructions load without looking at any table.
SegmentRegister flat_segment(u32 selector, u8 type, u8 level) {
  const u32 attributes =
      type | kSegNotSystem | (u32{level} << kSegDplShift) | kSegPresent | kSegBig | kSegGranular;
  return {static_cast<u16>(selector), 0, attributes, 0xffffffff, 0, 0};
}

Outcome<u32> sysenter_selector(const Cpu& cpu) {
  const u32 selector = cpu.state.sysenter_cs & 0xfffc;
  if (!cpu.protected_mode() || selector == 0) return raise(Fault::gp());
  return selector;
}

}  // namespace

Outcome<> sysenter(Cpu& cpu) {
  const u32 selector = RS_TRY(sysenter_selector(cpu));
  cpu.state.rflags &= ~u64{kFlagVm | kFlagIf};
  cpu.state.segment(Seg::ss) = flat_segment(selector + 8, kAccessedData, 0);
  cpu.state.set_reg32(kEsp, static_cast<u32>(cpu.state.sysenter_esp));
  commit_code(cpu, flat_segment(selector, kAccessedCode, 0), static_cast<u32>(cpu.state.sysenter_eip));
  return {};
}

Outcome<> sysexit(Cpu& cpu) {
  const u32 selector = RS_TRY(sysenter_selector(cpu));
  if (cpu.state.cpl != 0) return raise(Fault::gp());
  cpu.state.segment(Seg::ss) = flat_segment((selector + 24) | 3, kAccessedData, 3);
  cpu.state.set_reg32(kEsp, cpu.state.reg32(kEcx));
  commit_code(cpu, flat_segment((selector + 16) | 3, kAccessedCode, 3), cpu.state.reg32(kEdx));
  return {};
}

}  // namespace ringshift
