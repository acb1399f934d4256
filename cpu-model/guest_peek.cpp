// Looking at guest memory and tables for a report.
#include "cpu-model/guest_peek.h"

#include <fmt/format.h>

#include <algorithm>

#include "cpu-model/paging.h"

namespace ringshift {

namespace {

constexpr u64 kEntryPresent = 1;
constexpr u64 kEntryWritable = 2;
constexpr u64 kEntryUser = 4;
constexpr u64 kEntryLarge = 0x80;
constexpr u64 kFrameMask = 0xffffff000;

std::optional<u64> peek_entry(const Cpu& cpu, Gpa gpa, unsigned size) {
  const u8* at = cpu.phys.host(cpu.a20(gpa));
  if (at == nullptr) return std::nullopt;
  u64 entry = 0;
  std::memcpy(&entry, at, size);
  return entry;
}

std::string entry_text(std::string_view level, Gpa at, u64 entry, unsigned size) {
  std::string rights = "not present";
  if ((entry & kEntryPresent) != 0)
    rights = fmt::format("present, {}, {}", (entry & kEntryWritable) != 0 ? "writable" : "read-only",
                         (entry & kEntryUser) != 0 ? "user" : "supervisor");
  return fmt::format("page {} entry at gpa 0x{:08x} is 0x{:0{}x} ({})", level, at, entry, size * 2, rights);
}

// Entries of `size` bytes: the directory at `directory`, then the table.
std::string explain_two_levels(const Cpu& cpu, Gpa directory, unsigned size, Gva gva) {
  const unsigned directory_shift = size == 8 ? 21 : 22;
  const u32 index_mask = size == 8 ? 0x1ff : 0x3ff;
  const Gpa pde_at = directory + ((gva >> directory_shift) & index_mask) * size;
  const auto pde = peek_entry(cpu, pde_at, size);
  if (!pde) return fmt::format("the page directory at gpa 0x{:08x} is not in RAM", directory);
  const bool large = (*pde & kEntryLarge) != 0 && (size == 8 || (cpu.state.cr4 & kCr4Pse) != 0);
  if ((*pde & kEntryPresent) == 0 || large) return entry_text("directory", pde_at, *pde, size);
  const Gpa table = *pde & kFrameMask;
  const Gpa pte_at = table + ((gva >> kPageShift) & index_mask) * size;
  const auto pte = peek_entry(cpu, pte_at, size);
  if (!pte) return fmt::format("the page table at gpa 0x{:08x} is not in RAM", table);
  return entry_text("table", pte_at, *pte, size);
}

}  // namespace

u32 peek_bytes(const Cpu& cpu, Gva gva, std::span<u8> out) {
  u32 count = 0;
  while (count < out.size()) {
    Gpa gpa = 0;
    const Gva at = gva + count;
    if (!peek(cpu, at, &gpa)) break;
    const u8* host = cpu.phys.host(gpa);
    if (host == nullptr) break;
    const u32 chunk = std::min(kPageSize - (at & kPageOffsetMask), static_cast<u32>(out.size()) - count);
    std::memcpy(out.data() + count, host, chunk);
    count += chunk;
  }
  return count;
}

std::optional<Descriptor> peek_descriptor(const Cpu& cpu, Gva gva) {
  u8 raw[8];
  if (peek_bytes(cpu, gva, raw) != sizeof raw) return std::nullopt;
  Descriptor descriptor;
  std::memcpy(&descriptor, raw, sizeof descriptor);
  return descriptor;
}

std::string explain_mapping(const Cpu& cpu, Gva gva) {
  if (!cpu.paging()) return "paging is off";
  const Gpa cr3 = cpu.state.cr3;
  if ((cpu.state.cr4 & kCr4Pae) == 0) return explain_two_levels(cpu, cr3 & kFrameMask, 4, gva);
  const u64 pdpte = cpu.state.pdpte[gva >> 30];
  if ((pdpte & kEntryPresent) == 0)
    return fmt::format("PDPTE {} is 0x{:016x} (not present)", gva >> 30, pdpte);
  return explain_two_levels(cpu, pdpte & kFrameMask, 8, gva);
}

std::string vector_name(unsigned vector) {
  constexpr std::string_view kNames[] = {"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD",
                                         "#NM", "#DF", "",    "#TS", "#NP", "#SS", "#GP",
                                         "#PF", "",    "#MF", "#AC", "#MC", "#XM"};
  if (vector < std::size(kNames) && !kNames[vector].empty())
    return fmt::format("{} (vector {})", kNames[vector], vector);
  return fmt::format("interrupt 0x{:02x}", vector);
}

}  // namespace ringshift
