// Flat protected mode, as boot loaders leave it.
#include "machine/loaders/flat_state.h"

#include <array>

namespace ringshift {

namespace {
constexpr Gpa kGdt = kLoaderArea;
constexpr Gpa kBootStackTop = kLoaderArea + kLoaderAreaSize;
// Present, DPL 0, 32-bit, granular, base 0, limit FFFFF; accessed (SDM vol. 3A 3.4.5).
constexpr u64 kFlatCode = 0x00cf'9b00'0000'ffff;
constexpr u64 kFlatData = 0x00cf'9300'0000'ffff;

SegmentRegister flat_segment(u16 selector, u64 descriptor) {
  SegmentRegister segment{};
  segment.selector = selector;
  segment.attributes = static_cast<u32>(descriptor >> 40) & 0xf0ff;
  segment.limit = 0xffffffff;
  segment.base = 0;
  return segment;
}
}  // namespace

void enter_flat_mode(BootMemory& memory, VcpuState& state, u32 entry) {
  const std::array<u64, 4> gdt{0, 0, kFlatCode, kFlatData};
  memory.store(kGdt, {reinterpret_cast<const u8*>(gdt.data()), sizeof gdt});
  state.gdtr = {.base = kGdt, .limit = sizeof gdt - 1, .reserved = 0};
  state.idtr = {.base = 0, .limit = 0, .reserved = 0};
  for (SegmentRegister& segment : state.seg) segment = flat_segment(kBootDataSelector, kFlatData);
  state.segment(Seg::cs) = flat_segment(kBootCodeSelector, kFlatCode);
  state.cr0 = (state.cr0 | kCr0Pe) & ~u64{kCr0Pg | kCr0Cd | kCr0Nw};
  state.rflags = kFlagFixed;
  state.cpl = 0;
  state.rip = entry;
  for (u64& reg : state.gpr) reg = 0;
  state.set_reg32(kEsp, static_cast<u32>(kBootStackTop));
}

}  // namespace ringshift
