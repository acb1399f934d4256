// Loading of ELF32 kernels.
#include "machine/loaders/elf32.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "machine/loaders/load_kernel.h"

namespace ringshift {

namespace {
constexpr u8 kClass32 = 1;
constexpr u8 kClass64 = 2;
constexpr u16 kMachine386 = 3;
constexpr u16 kTypeExecutable = 2;
constexpr u16 kTypeShared = 3;
constexpr u32 kSegmentLoad = 1;
constexpr unsigned kMaxSegments = 256;

struct ElfHeader {
  u8 identification[16];
  u16 type, machine;
  u32 version, entry, segments_offset, sections_offset, flags;
  u16 header_size, segment_entry_size, segment_count, section_entry_size, section_count, names_section;
};
static_assert(sizeof(ElfHeader) == 52 && sizeof(ElfSegment) == 32);

Result<ElfHeader> read_header(const InputFile& kernel) {
  const auto ident = RS_TRY((kernel.value<std::array<u8, 16>>(0)));
  if (ident[4] == kClass64)
    return fail(ErrorKind::input_file,
                "kernel {} is a 64-bit ELF; this machine's CPU is 32-bit: give an i386 kernel",
                kernel.path());
  const auto header = RS_TRY(kernel.value<ElfHeader>(0));
  if (ident[4] != kClass32 || ident[5] != 1 || header.machine != kMachine386)
    return fail(ErrorKind::input_file, "kernel {} is an ELF file for another machine than i386",
                kernel.path());
  if (header.type != kTypeExecutable && header.type != kTypeShared)
    return fail(ErrorKind::input_file, "kernel {} is an ELF file but not an executable", kernel.path());
  if (header.segment_entry_size != sizeof(ElfSegment) || header.segment_count == 0 ||
      header.segment_count > kMaxSegments)
    return fail(ErrorKind::input_file, "kernel {} is corrupt: its ELF program headers make no sense",
                kernel.path());
  return header;
}

Result<void> load_segment(const InputFile& kernel, const ElfSegment& segment, BootMemory& memory) {
  if (segment.file_size > segment.memory_size)
    return fail(ErrorKind::input_file,
                "kernel {} is corrupt: an ELF segment is larger in the file than in memory", kernel.path());
  if (u64{segment.offset} + segment.file_size > kernel.size())
    return fail(ErrorKind::input_file, "kernel {} is truncated: an ELF segment reaches beyond the file's end",
                kernel.path());
  if (!memory.loadable(segment.physical_address, segment.memory_size))
    return fail(ErrorKind::input_file,
                "kernel {} wants to be at {:#x}-{:#x}, where this machine has no free RAM; give a larger -m?",
                kernel.path(), segment.physical_address, u64{segment.physical_address} + segment.memory_size);
  RS_TRY(memory.load(kernel, segment.offset, segment.physical_address, segment.file_size));
  memory.zero(segment.physical_address + segment.file_size, segment.memory_size - segment.file_size);
  return {};
}

// A kernel linked at a high address gives its entry as a virtual address: the physical one is that of the
// same byte. Entries that already lie in a segment's physical range stay.
u32 physical_entry(const std::vector<ElfSegment>& segments, u32 entry) {
  for (const ElfSegment& s : segments)
    if (entry - s.physical_address < s.memory_size) return entry;
  for (const ElfSegment& s : segments)
    if (entry - s.virtual_address < s.memory_size) return s.physical_address + (entry - s.virtual_address);
  return entry;
}
}  // namespace

Result<ElfImage> load_elf_segments(const InputFile& kernel, BootMemory& memory) {
  const ElfHeader header = RS_TRY(read_header(kernel));
  std::vector<ElfSegment> loaded;
  u64 end = 0;
  for (unsigned i = 0; i < header.segment_count; ++i) {
    const auto segment =
        RS_TRY(kernel.value<ElfSegment>(u64{header.segments_offset} + u64{i} * sizeof(ElfSegment)));
    if (segment.type != kSegmentLoad || segment.memory_size == 0) continue;
    RS_TRY(load_segment(kernel, segment, memory));
    loaded.push_back(segment);
    end = std::max(end, u64{segment.physical_address} + segment.memory_size);
  }
  if (loaded.empty())
    return fail(ErrorKind::input_file, "kernel {} is an ELF file with nothing to load", kernel.path());
  return ElfImage{physical_entry(loaded, header.entry), end};
}

Result<void> load_elf32(const InputFile& kernel, const BootFiles& files, BootMemory& memory,
                        VcpuState& state) {
  if (!files.initrd.empty())
    return fail(ErrorKind::usage, "-initrd: a plain ELF kernel has no way to find an initrd");
  const ElfImage image = RS_TRY(load_elf_segments(kernel, memory));
  enter_flat_mode(memory, state, image.entry);
  return {};
}

}  // namespace ringshift
