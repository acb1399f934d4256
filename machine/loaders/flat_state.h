// The flat 32-bit protected-mode state in which the loaders start a kernel.
#pragma once

#include "cpu-model/vcpu_state.h"
#include "machine/loaders/boot_memory.h"

namespace ringshift {

// Selectors of the descriptor table that enter_flat_mode() writes: __BOOT_CS and __BOOT_DS of the Linux boot
// protocol.
inline constexpr u16 kBootCodeSelector = 0x10;
inline constexpr u16 kBootDataSelector = 0x18;

// Writes a GDT with flat code and data to the loader area, and changes a reset state to protected mode at
// `entry`: paging and interrupts off, all segments flat, a stack below the loader area's end.
void enter_flat_mode(BootMemory& memory, VcpuState& state, u32 entry);

}  // namespace ringshift
