// The page walk: looks entries up, checks rights, then sets A and D (SDM vol. 3A 4.3, 4.4, 4.6-4.8).
#include "cpu-model/paging.h"

#include <cstring>

#include "cpu-model/cpuid.h"

namespace ringshift {

namespace {

constexpr u64 kPresent = 1u << 0;
constexpr u64 kWritable = 1u << 1;
constexpr u64 kUser = 1u << 2;
constexpr u64 kAccessed = 1u << 5;
constexpr u64 kDirty = 1u << 6;
constexpr u64 kLarge = 1u << 7;
constexpr u64 kGlobalPage = 1u << 8;
constexpr u64 kNoExecute = u64{1} << 63;
constexpr u64 kReservedAbove = kAbovePhysical & ~kNoExecute;

// The two forms of paging, from the page directory on. PSE-36 isn't offered, so bits 13-21 of a 4 MiB entry
// are reserved (table 4-4).
struct Form32 {
  using Entry = u32;
  static constexpr unsigned kDirectoryShift = 22;
  static constexpr u64 kFrame = 0xfffff000;
  static constexpr u64 kLargeReserved = 0x003fe000;
};
struct FormPae {
  using Entry = u64;
  static constexpr unsigned kDirectoryShift = 21;
  static constexpr u64 kFrame = ~kAbovePhysical & ~u64{kPageOffsetMask};
  static constexpr u64 kLargeReserved = 0x001fe000;
};

enum class Found : u8 { mapped, not_present, reserved_bits };

// What stands in the tables for one address.
struct Lookup {
  Found found = Found::not_present;
  unsigned levels = 0;
  Gpa at[2] = {};  // where the entries are
  u64 entry[2] = {};
  Gpa gpa = 0;
  bool large = false;

  u64 leaf() const { return entry[levels - 1]; }
  u64 rights() const { return levels == 2 ? entry[0] & entry[1] : entry[0]; }
  bool no_execute() const { return ((entry[0] | entry[1]) & kNoExecute) != 0; }
};

bool no_execute_on(const Cpu& cpu) {
  return (cpu.state.cr4 & kCr4Pae) != 0 && (cpu.state.efer & kEferNxe) != 0;
}

// Tables outside RAM and ROM read as not present: no sane guest has them there.
template <class Entry>
u64 read_entry(const Cpu& cpu, Gpa at) {
  const u8* host = cpu.phys.host(at);
  if (host == nullptr) return 0;
  return __atomic_load_n(reinterpret_cast<const Entry*>(host), __ATOMIC_RELAXED);
}

// Reads the entry `index` of a table into the lookup; true if the walk may go on.
template <class Form>
bool next_level(const Cpu& cpu, Lookup& out, Gpa table, u32 index) {
  using Entry = typename Form::Entry;
  const Gpa at = cpu.a20(table + index * sizeof(Entry));
  const u64 entry = read_entry<Entry>(cpu, at);
  out.at[out.levels] = at;
  out.entry[out.levels++] = entry;
  if ((entry & kPresent) == 0) return false;
  u64 reserved = sizeof(Entry) == 8 ? kReservedAbove : 0;
  if (!no_execute_on(cpu)) reserved |= sizeof(Entry) == 8 ? kNoExecute : 0;
  if ((entry & reserved) != 0) {
    out.found = Found::reserved_bits;
    return false;
  }
  return true;
}

template <class Form>
Lookup look_up(const Cpu& cpu, Gva gva, Gpa directory) {
  constexpr u32 kIndexMask = kPageSize / sizeof(typename Form::Entry) - 1;
  Lookup out;
  if (!next_level<Form>(cpu, out, directory, (gva >> Form::kDirectoryShift) & kIndexMask)) return out;
  const u64 pde = out.entry[0];
  // PAE needs no CR4.PSE for large pages (4.4.2).
  if ((pde & kLarge) != 0 && (sizeof(typename Form::Entry) == 8 || (cpu.state.cr4 & kCr4Pse) != 0)) {
    constexpr u32 kOffset = (1u << Form::kDirectoryShift) - 1;
    if ((pde & Form::kLargeReserved) != 0) {
      out.found = Found::reserved_bits;
      return out;
    }
    out.large = true;
    out.gpa = (pde & Form::kFrame & ~u64{kOffset}) | (gva & kOffset);
  } else {
    if (!next_level<Form>(cpu, out, pde & Form::kFrame, (gva >> kPageShift) & kIndexMask)) return out;
    out.gpa = (out.entry[1] & Form::kFrame) | (gva & kPageOffsetMask);
  }
  out.gpa = cpu.a20(out.gpa);
  out.found = Found::mapped;
  return out;
}

Lookup look_up(const Cpu& cpu, Gva gva) {
  if ((cpu.state.cr4 & kCr4Pae) == 0) return look_up<Form32>(cpu, gva, cpu.state.cr3 & Form32::kFrame);
  const u64 pdpte = cpu.state.pdpte[gva >> 30];
  if ((pdpte & kPresent) == 0) return {};
  return look_up<FormPae>(cpu, gva, pdpte & FormPae::kFrame);
}

bool write_allowed(const Cpu& cpu, const Lookup& lookup, bool user) {
  return (lookup.rights() & kWritable) != 0 || (!user && (cpu.state.cr0 & kCr0Wp) == 0);
}

// Whether the entries found give the right to the access (4.6).
bool allowed(const Cpu& cpu, const Lookup& lookup, AccessKind kind, bool user) {
  if (user && (lookup.rights() & kUser) == 0) return false;
  if (kind == AccessKind::write) return write_allowed(cpu, lookup, user);
  return kind != AccessKind::fetch || !lookup.no_execute();
}

tl::unexpected<Fault> page_fault(Cpu& cpu, Gva gva, AccessKind kind, bool user, u32 cause) {
  u32 error = cause;
  if (kind == AccessKind::write) error |= kPfWrite;
  if (user) error |= kPfUser;
  if (kind == AccessKind::fetch && no_execute_on(cpu)) error |= kPfFetch;
  if (cpu.trace.on(TracePoint::mmu))
    cpu.trace.write("mmu: #PF at {:08x}, error {:x}, eip {:08x}\n", gva, error, cpu.state.eip());
  return raise(Fault::pf(gva, error));
}

template <class Entry>
bool exchange(u8* host, u64 expected, u64 wanted) {
  Entry old = static_cast<Entry>(expected);
  return __atomic_compare_exchange_n(reinterpret_cast<Entry*>(host), &old, static_cast<Entry>(wanted), false,
                                     __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

// Sets bits of one entry of the lookup, here and in memory; false if memory has changed since it was read. In
// ROM nothing is set.
bool set_bits(Cpu& cpu, Lookup& lookup, unsigned level, u64 bits) {
  const u64 entry = lookup.entry[level];
  if ((entry & bits) == bits) return true;
  const Gpa at = lookup.at[level];
  const PageFlags flags = cpu.phys.flags(at);
  if (static_cast<PageKind>(flags & kPageKindMask) != PageKind::ram) return true;
  const bool pae = (cpu.state.cr4 & kCr4Pae) != 0;
  u8* host = cpu.phys.host(at);
  if (!(pae ? exchange<u64>(host, entry, entry | bits) : exchange<u32>(host, entry, entry | bits)))
    return false;
  lookup.entry[level] |= bits;
  if ((flags & kWriteAttributes) != 0) cpu.phys.note_write(at, pae ? sizeof(u64) : sizeof(u32));
  if (cpu.observer != nullptr) cpu.observer->on_entry_marked(at);
  return true;
}

bool set_accessed_and_dirty(Cpu& cpu, Lookup& lookup, AccessKind kind) {
  if (lookup.levels == 2 && !set_bits(cpu, lookup, 0, kAccessed)) return false;
  const u64 bits = kind == AccessKind::write ? kAccessed | kDirty : kAccessed;
  return set_bits(cpu, lookup, lookup.levels - 1, bits);
}

}  // namespace

Outcome<PageTranslation> walk(Cpu& cpu, Gva gva, AccessKind kind, bool user) {
  if (!cpu.paging()) return PageTranslation{cpu.a20(gva), true, true, false, true};
  for (;;) {
    Lookup lookup = look_up(cpu, gva);
    if (lookup.found == Found::not_present) return page_fault(cpu, gva, kind, user, 0);
    if (lookup.found == Found::reserved_bits)
      return page_fault(cpu, gva, kind, user, kPfPresent | kPfReserved);
    if (!allowed(cpu, lookup, kind, user)) return page_fault(cpu, gva, kind, user, kPfPresent);
    if (!set_accessed_and_dirty(cpu, lookup, kind)) continue;
    PageTranslation out{};
    out.gpa = lookup.gpa;
    out.writable = (lookup.leaf() & kDirty) != 0 && write_allowed(cpu, lookup, user);
    const bool hypervisors = cpu.supervisor_global && (lookup.leaf() & kUser) == 0;
    out.global = ((lookup.leaf() & kGlobalPage) != 0 || hypervisors) && (cpu.state.cr4 & kCr4Pge) != 0;
    out.large = lookup.large;
    out.executable = !lookup.no_execute();
    return out;
  }
}

bool peek(const Cpu& cpu, Gva gva, Gpa* gpa) {
  if (!cpu.paging()) {
    *gpa = cpu.a20(gva);
    return true;
  }
  const Lookup lookup = look_up(cpu, gva);
  *gpa = lookup.gpa;
  return lookup.found == Found::mapped;
}

Outcome<> load_pdptes(Cpu& cpu, u64 cr3) {
  if (!cpu.paging() || (cpu.state.cr4 & kCr4Pae) == 0) return {};
  constexpr u64 kTable = 0xffffffe0;
  constexpr u64 kReserved = kAbovePhysical | 0x1e6;  // table 4-8
  u64 entries[4];
  const u8* host = cpu.phys.host(cpu.a20(cr3 & kTable));
  if (host == nullptr) return raise(Fault::gp());  // it reads as ones, which are reserved
  std::memcpy(entries, host, sizeof entries);
  for (u64 entry : entries)
    if ((entry & kPresent) != 0 && (entry & kReserved) != 0) return raise(Fault::gp());
  std::memcpy(cpu.state.pdpte, entries, sizeof entries);
  return {};
}

}  // namespace ringshift
