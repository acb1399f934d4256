// Loading of ELF32 kernels.
#include "machine/loaders/elf32.h"

#include <elf.h>

#include <algorithm>
#include <array>
#include <vector>

#include "machine/loaders/load_kernel.h"

namespace ringshift {

namespace {
constexpr unsigned kMaxSegments = 256;

Result<Elf32_Ehdr> read_header(const InputFile& kernel) {
  const auto ident = RS_TRY((kernel.value<std::array<u8, 16>>(0)));
  if (ident[EI_CLASS] == ELFCLASS64)
    return fail(ErrorKind::input_file,
                "kernel {} is a 64-bit ELF; this machine's CPU is 32-bit: give an i386 kernel",
                kernel.path());
  const auto header = RS_TRY(kernel.value<Elf32_Ehdr>(0));
  if (ident[EI_CLASS] != ELFCLASS32 || ident[EI_DATA] != ELFDATA2LSB || header.e_machine != EM_386)
    return fail(ErrorKind::input_file, "kernel {} is an ELF file for another machine than i386",
                kernel.path());
  if (header.e_type != ET_EXEC && header.e_type != ET_DYN)
    return fail(ErrorKind::input_file, "kernel {} is an ELF file but not an executable", kernel.path());
  if (header.e_phentsize != sizeof(Elf32_Phdr) || header.e_phnum == 0 || header.e_phnum > kMaxSegments)
    return fail(ErrorKind::input_file, "kernel {} is corrupt: its ELF program headers make no sense",
                kernel.path());
  return header;
}

Result<void> load_segment(const InputFile& kernel, const Elf32_Phdr& segment, BootMemory& memory) {
  if (segment.p_filesz > segment.p_memsz)
    return fail(ErrorKind::input_file,
                "kernel {} is corrupt: an ELF segment is larger in the file than in memory", kernel.path());
  if (u64{segment.p_offset} + segment.p_filesz > kernel.size())
    return fail(ErrorKind::input_file, "kernel {} is truncated: an ELF segment reaches beyond the file's end",
                kernel.path());
  if (!memory.loadable(segment.p_paddr, segment.p_memsz))
    return fail(ErrorKind::input_file,
                "kernel {} wants to be at {:#x}-{:#x}, where this machine has no free RAM; give a larger -m?",
                kernel.path(), segment.p_paddr, u64{segment.p_paddr} + segment.p_memsz);
  RS_TRY(memory.load(kernel, segment.p_offset, segment.p_paddr, segment.p_filesz));
  memory.zero(segment.p_paddr + segment.p_filesz, segment.p_memsz - segment.p_filesz);
  return {};
}

// A kernel linked at a high address gives its entry as a virtual address: the physical one is that of the
// same byte. Entries that already lie in a segment's physical range stay.
u32 physical_entry(const std::vector<Elf32_Phdr>& segments, u32 entry) {
  for (const Elf32_Phdr& s : segments)
    if (entry - s.p_paddr < s.p_memsz) return entry;
  for (const Elf32_Phdr& s : segments)
    if (entry - s.p_vaddr < s.p_memsz) return s.p_paddr + (entry - s.p_vaddr);
  return entry;
}
}  // namespace

Result<ElfImage> load_elf_segments(const InputFile& kernel, BootMemory& memory) {
  const Elf32_Ehdr header = RS_TRY(read_header(kernel));
  std::vector<Elf32_Phdr> loaded;
  u64 end = 0;
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    const auto segment = RS_TRY(kernel.value<Elf32_Phdr>(u64{header.e_phoff} + u64{i} * sizeof(Elf32_Phdr)));
    if (segment.p_type != PT_LOAD || segment.p_memsz == 0) continue;
    RS_TRY(load_segment(kernel, segment, memory));
    loaded.push_back(segment);
    end = std::max(end, u64{segment.p_paddr} + segment.p_memsz);
  }
  if (loaded.empty())
    return fail(ErrorKind::input_file, "kernel {} is an ELF file with nothing to load", kernel.path());
  return ElfImage{physical_entry(loaded, header.e_entry), end};
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
