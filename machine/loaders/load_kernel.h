// load_kernel: finds out what a kernel file is and loads it.
#pragma once

#include "machine/loaders/boot_files.h"
#include "machine/loaders/boot_memory.h"
#include "machine/loaders/flat_state.h"

namespace ringshift {

// What else a loader tells the guest.
struct BootInfo {
  Gpa acpi_rsdp = 0;  // 0: none
};

// state: as after reset; becomes the kernel's entry state. Knows the Linux/x86 boot protocol, multiboot 1 and
// plain ELF32 (in this order of detection).
Result<void> load_kernel(const BootFiles& files, PhysicalMap& map, const BootInfo& info, VcpuState& state);

// The loaders, one a file. Each is given an opened kernel that looks like its kind.
Result<void> load_bzimage(const InputFile& kernel, const BootFiles& files, const BootInfo& info,
                          BootMemory& memory, VcpuState& state);
// header: the offset of the multiboot header.
Result<void> load_multiboot(const InputFile& kernel, u64 header, const BootFiles& files, BootMemory& memory,
                            VcpuState& state);
Result<void> load_elf32(const InputFile& kernel, const BootFiles& files, BootMemory& memory,
                        VcpuState& state);

}  // namespace ringshift
