// What RESET# leaves in a virtual CPU (SDM vol. 3A table 9-1).
#include "cpu-model/vcpu_state.h"

#include <cstring>

namespace ringshift {

namespace {

constexpr u32 kRealData = kSegPresent | kSegNotSystem | kSegWritable | kSegAccessed;
constexpr u32 kLdt = kSegPresent | 0x2;
constexpr u32 kBusyTss32 = kSegPresent | 0xb;

// FCW 0040 and tags 5555 (all zero, none empty) are RESET's, not FNINIT's. Offsets: SDM vol. 1 table 10-2.
void reset_fx(FxState& fx) {
  constexpr u16 kResetFcw = 0x0040;
  constexpr u8 kNoneEmpty = 0xff;
  constexpr u32 kResetMxcsr = 0x1f80;
  constexpr u32 kMxcsrMask = 0xffff;
  std::memset(fx.bytes, 0, sizeof fx.bytes);
  std::memcpy(fx.bytes + 0, &kResetFcw, sizeof kResetFcw);
  std::memcpy(fx.bytes + 4, &kNoneEmpty, sizeof kNoneEmpty);
  std::memcpy(fx.bytes + 24, &kResetMxcsr, sizeof kResetMxcsr);
  std::memcpy(fx.bytes + 28, &kMxcsrMask, sizeof kMxcsrMask);
}

}  // namespace

void reset_vcpu(VcpuState& state, u32 cpu_signature) {
  state = VcpuState{};
  reset_fx(state.fx);
  state.gpr[kEdx] = cpu_signature;
  state.rip = 0xfff0;
  state.rflags = kFlagFixed;
  for (SegmentRegister& segment : state.seg) segment = {0, 0, kRealData, 0xffff, 0, 0};
  state.segment(Seg::cs) = {0xf000, 0, kRealData, 0xffff, 0, 0xffff0000};
  state.ldtr = {0, 0, kLdt, 0xffff, 0, 0};
  state.tr = {0, 0, kBusyTss32, 0xffff, 0, 0};
  state.gdtr = {0, 0xffff, 0};
  state.idtr = {0, 0xffff, 0};
  state.cr0 = kCr0Cd | kCr0Nw | kCr0Et;
  state.dr[6] = 0xffff0ff0;
  state.dr[7] = 0x400;
  state.apic_base = 0xfee00900;         // enabled, boot processor
  state.pat = 0x0007040600070406;       // SDM vol. 3A 11.12.4
  state.misc_enable = 0x1 | 0x3 << 11;  // fast strings; no BTS, no PEBS
}

}  // namespace ringshift
