// Looking at guest memory and tables for a report: raises nothing, sets no A or D bit, reaches no device.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "cpu-model/segmentation.h"

namespace ringshift {

// Copies what is readable from gva on; how many bytes that were.
u32 peek_bytes(const Cpu& cpu, Gva gva, std::span<u8> out);
// 8 bytes of a descriptor table at base + offset.
std::optional<Descriptor> peek_descriptor(const Cpu& cpu, Gva gva);

// Why a linear address isn't mapped, in words: "page table entry at gpa 0x... is 0x00000000 (not present)";
// or the entry that maps it and what it allows.
std::string explain_mapping(const Cpu& cpu, Gva gva);

// "#PF (vector 14)", "interrupt 0x20".
std::string vector_name(unsigned vector);

}  // namespace ringshift
