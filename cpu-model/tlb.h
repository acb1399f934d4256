// Tlb: the translation look-aside buffer that every software access goes through, in C++ and in emitted code.
//
// Direct-mapped by page number, one table for supervisor and one for user accesses. An entry's tags are the
// page's gva when a plain load or store to the page may go straight to host memory at gva + addend, and
// kInvalid otherwise: a page with MMIO, with write attributes, not yet dirty, read-only for this privilege or
// watched has the tag of the access it forbids invalid, and takes the slow path each time.
//
// Semantics are a real TLB's (SDM vol. 3A 4.10): entries may be stale until INVLPG, MOV CR3 and the like.
#pragma once

#include <array>

#include "base/types.h"

namespace ringshift {

struct TlbEntry {
  u32 read_tag;
  u32 write_tag;
  u64 addend;  // host address of the page, less its gva
  u32 fetch_tag;
  u32 global;  // 1: survives MOV CR3 under CR4.PGE
  Gpa page;    // guest-physical page
};
static_assert(sizeof(TlbEntry) == 32);

class Tlb {
 public:
  static constexpr unsigned kEntries = 1024;
  static constexpr u32 kInvalid = 1;  // no page-aligned address equals it
  using Table = std::array<TlbEntry, kEntries>;

  Tlb() { flush_all(); }

  static unsigned index(Gva gva) { return (gva >> kPageShift) % kEntries; }
  TlbEntry& entry(Gva gva, bool user) { return tables_[user ? 1 : 0][index(gva)]; }
  Table& table(bool user) { return tables_[user ? 1 : 0]; }

  void flush_all();
  void flush_non_global();
  void flush_page(Gva gva);
  // Drops every entry that maps this guest-physical page.
  void flush_physical(Gpa page);

  struct Counters {
    u64 misses = 0;
    u64 full_flushes = 0;
    u64 address_space_flushes = 0;
    u64 page_flushes = 0;
  };
  Counters counters;

 private:
  alignas(64) std::array<Table, 2> tables_;
};

}  // namespace ringshift
