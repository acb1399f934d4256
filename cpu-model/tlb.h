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
#include <bitset>

#include "base/types.h"

namespace ringshift {

struct TlbEntry {
  u32 read_tag;
  u32 write_tag;
  u64 addend;  // host address of the page, less its gva
  u32 fetch_tag;
  u32 mapping;  // the page's gva, with kTlbMapped, kTlbGlobal, kTlbWritable
  Gpa page;     // guest-physical page
};
static_assert(sizeof(TlbEntry) == 32);

// Bits of TlbEntry::mapping, which spares the slow path the walk where what the page is, and not the page
// tables, forbids a plain access: a device, a page with write attributes.
inline constexpr u32 kTlbGlobal = 1u << 0;    // survives MOV CR3 under CR4.PGE
inline constexpr u32 kTlbWritable = 1u << 1;  // the page tables allow writes, and D is set
inline constexpr u32 kTlbMapped = 1u << 2;    // the entry is one

class Tlb {
 public:
  static constexpr unsigned kEntries = 1024;
  static constexpr u32 kInvalid = 1;  // no page-aligned address equals it
  using Table = std::array<TlbEntry, kEntries>;

  Tlb();

  static unsigned index(Gva gva) { return (gva >> kPageShift) % kEntries; }
  const TlbEntry& entry(Gva gva, bool user) const { return tables_[user ? 1 : 0][index(gva)]; }
  // Where a plain load or store of `size` bytes at gva may go; null where it may not, or straddles pages.
  u8* plain_read(Gva gva, u32 size, bool user) const {
    const TlbEntry& found = entry(gva, user);
    return plain(found, found.read_tag, gva, size);
  }
  u8* plain_write(Gva gva, u32 size, bool user) const {
    const TlbEntry& found = entry(gva, user);
    return plain(found, found.write_tag, gva, size);
  }
  Table& table(bool user) { return tables_[user ? 1 : 0]; }

  // Whether `entry` translates gva for a data access, plain or not.
  static bool maps(const TlbEntry& entry, Gva gva, bool write) {
    const u32 wanted = kTlbMapped | (write ? kTlbWritable : 0);
    return ((entry.mapping ^ gva) & ~kPageOffsetMask) == 0 && (entry.mapping & wanted) == wanted;
  }

  // The only way in. large: the page is part of a 2 or 4 MiB one.
  const TlbEntry& fill(Gva gva, bool user, const TlbEntry& entry, bool large);

  void flush_all();
  void flush_non_global();
  // INVLPG. Drops all of a large page; then true.
  bool flush_page(Gva gva);
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
  static u8* plain(const TlbEntry& entry, u32 tag, Gva gva, u32 size) {
    if (tag != (gva & ~kPageOffsetMask) || (gva & kPageOffsetMask) > kPageSize - size) [[unlikely]]
      return nullptr;
    u8* const at = reinterpret_cast<u8*>(entry.addend + gva);
    if (at == nullptr) __builtin_unreachable();  // spares callers a second comparison
    return at;
  }
  // Entries are flushed by groups, and groups that nothing was put into are passed over.
  static constexpr unsigned kGroup = kEntries / 32;
  static constexpr u32 kNoFrame = ~u32{0};
  void drop(unsigned user, unsigned index);

  alignas(64) std::array<Table, 2> tables_;
  // Page numbers of entries, close together, so that flush_physical reads 8 KiB and not 64.
  alignas(64) std::array<std::array<u32, kEntries>, 2> frames_;
  std::array<u32, 2> used_{};   // groups with entries
  std::array<u32, 2> local_{};  // groups with entries that aren't global
  // 4 MiB regions of linear addresses that entries of large pages were put into.
  std::bitset<1024> large_;
};

}  // namespace ringshift
