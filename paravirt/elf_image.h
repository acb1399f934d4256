// ElfImage: an i386 ELF kernel that says by its notes how Xen is to build a domain for it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace ringshift::xen {

// A part of the file that goes to memory.
struct LoadedPart {
  u32 offset;     // in the file
  u32 file_size;  // the rest up to memory_size is zeros
  u32 memory_size;
  u32 physical;  // address, as the header has it
};

struct ElfImage {
  std::vector<LoadedPart> parts;
  u32 first = 0;  // physical addresses of the first byte and behind the last
  u32 end = 0;
  // From the notes (xen/elfnote.h).
  std::optional<u32> entry;
  std::optional<u32> hypercall_page;
  u32 virtual_base = 0;
  u32 physical_offset = 0;
  bool init_p2m_elsewhere = false;
  std::string guest_os;

  // Where the image is put, in the virtual address space that it begins with.
  u32 virtual_of(u32 physical) const { return physical + (virtual_base - physical_offset); }
};

// file: all of it; name: for messages. What can't be run here is refused: no Xen notes, not PAE, features
// required that aren't offered.
Result<ElfImage> read_elf_image(std::span<const u8> file, const std::string& name);

}  // namespace ringshift::xen
