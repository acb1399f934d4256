// ELF32 executables: the parts of the format that loading a kernel needs (System V ABI, i386 supplement).
#pragma once

#include <vector>

#include "machine/loaders/boot_memory.h"

namespace ringshift {

inline constexpr u32 kElfMagic = 0x464c457f;

struct ElfSegment {
  u32 type, offset, virtual_address, physical_address, file_size, memory_size, flags, alignment;
};

struct ElfImage {
  u32 entry;  // physical
  u64 end;    // after the highest byte loaded
};

// Loads every PT_LOAD segment at its physical address, and zeroes what the file doesn't fill.
Result<ElfImage> load_elf_segments(const InputFile& kernel, BootMemory& memory);

}  // namespace ringshift
