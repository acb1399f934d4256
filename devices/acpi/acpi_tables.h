// The ACPI tables of the board: RSDP, RSDT, FADT, FACS, MADT and DSDT, as one block of bytes.
#pragma once

#include <vector>

#include "base/types.h"

namespace ringshift {

// Where the board puts them: in the BIOS area that guests search (E0000h-FFFFFh); RAM that E820 reserves.
inline constexpr Gpa kAcpiTablesGpa = 0xf0000;
inline constexpr u64 kAcpiTablesMaxSize = 0x8000;

struct AcpiConfig {
  u64 ram_size = 0;  // the PCI window in the DSDT begins above it
};

// The bytes to be placed at gpa (16-byte aligned, below 1 MiB); the RSDP is first.
std::vector<u8> build_acpi_tables(Gpa gpa, const AcpiConfig& config);

}  // namespace ringshift
