// Slow paths of memory accesses: Tlb misses, page straddles, MMIO, ROM, attributes and watchpoints.
#include "cpu-model/memory_access.h"

#include <algorithm>
#include <bit>

#include "cpu-model/control_registers.h"

namespace ringshift {

namespace {

constexpr Gva page_of(Gva gva) { return gva & ~kPageOffsetMask; }

// Whether an enabled data breakpoint lies in the page: then every access must be looked at.
bool watched(const Cpu& cpu, Gva gva) {
  if (!breakpoints_armed(cpu)) [[likely]]
    return false;
  return match_breakpoints(cpu, page_of(gva), kPageSize, AccessKind::read) != 0 ||
         match_breakpoints(cpu, page_of(gva), kPageSize, AccessKind::write) != 0;
}

// Puts a translation into the Tlb, with the tags that the page's kind and attributes allow: none for MMIO.
const TlbEntry* install(Cpu& cpu, Gva gva, const PageTranslation& translation, bool user) {
  ++cpu.tlb.counters.misses;
  const Gva page = page_of(gva);
  const Gpa frame = align_down(translation.gpa, Gpa{kPageSize});
  const PageFlags flags = cpu.phys.flags(frame);
  u8* host = cpu.phys.host(frame);
  const bool plain_read = host != nullptr && (flags & kAttrWatch) == 0 && !watched(cpu, page);
  const bool plain_write = plain_read && translation.writable && (flags & kWriteAttributes) == 0 &&
                           static_cast<PageKind>(flags & kPageKindMask) == PageKind::ram;
  TlbEntry entry{};
  entry.read_tag = plain_read ? page : Tlb::kInvalid;
  entry.write_tag = plain_write ? page : Tlb::kInvalid;
  entry.fetch_tag = host != nullptr && translation.executable ? page : Tlb::kInvalid;
  entry.addend = reinterpret_cast<u64>(host) - page;
  entry.mapping =
      page | kTlbMapped | (translation.global ? kTlbGlobal : 0) | (translation.writable ? kTlbWritable : 0);
  entry.page = frame;
  return &cpu.tlb.fill(page, user, entry, translation.large);
}

// Where the byte at gva is, for an access of this kind: from the Tlb if it knows, else by a walk.
Outcome<Gpa> locate(Cpu& cpu, Gva gva, AccessKind kind, bool user) {
  const TlbEntry& entry = cpu.tlb.entry(gva, user);
  const bool known = kind == AccessKind::fetch ? entry.fetch_tag == page_of(gva)
                                               : Tlb::maps(entry, gva, kind == AccessKind::write);
  if (known) return entry.page | (gva & kPageOffsetMask);
  const PageTranslation translation = RS_TRY(walk(cpu, gva, kind, user));
  install(cpu, gva, translation, user);
  return translation.gpa;
}

// The parts of an access, each within one page.
struct Parts {
  Gpa gpa[2];
  u32 length[2];  // the second is 0 where there is no straddle
};

// All pages are walked before anything is touched, so that a fault leaves memory and devices as they were.
Outcome<Parts> locate_parts(Cpu& cpu, Gva gva, u32 size, AccessKind kind, bool user) {
  Parts parts{};
  parts.length[0] = std::min(size, kPageSize - (gva & kPageOffsetMask));
  parts.length[1] = size - parts.length[0];
  parts.gpa[0] = RS_TRY(locate(cpu, gva, kind, user));
  if (parts.length[1] != 0) parts.gpa[1] = RS_TRY(locate(cpu, gva + parts.length[0], kind, user));
  return parts;
}

// Size of the next piece of an MMIO access: a power of two, aligned, at most 8.
u32 mmio_piece(Gpa gpa, u32 length) {
  constexpr u32 kLargest = 8;
  const u32 aligned = std::min(kLargest, 1u << std::countr_zero(static_cast<u32>(gpa) | kLargest));
  return std::min(aligned, std::bit_floor(length));
}

void read_mmio(Cpu& cpu, Gpa gpa, u8* out, u32 length) {
  while (length != 0) {
    const u32 piece = mmio_piece(gpa, length);
    const u64 value = cpu.io != nullptr ? cpu.io->mmio_read(gpa, piece) : ~u64{0};
    std::memcpy(out, &value, piece);
    gpa += piece;
    out += piece;
    length -= piece;
  }
}

void write_mmio(Cpu& cpu, Gpa gpa, const u8* data, u32 length) {
  while (length != 0) {
    const u32 piece = mmio_piece(gpa, length);
    u64 value = 0;
    std::memcpy(&value, data, piece);
    if (cpu.io != nullptr) cpu.io->mmio_write(gpa, piece, value);
    gpa += piece;
    data += piece;
    length -= piece;
  }
}

void read_physical(Cpu& cpu, Gpa gpa, u8* out, u32 length) {
  if (const u8* host = cpu.phys.host(gpa))
    std::memcpy(out, host, length);
  else
    read_mmio(cpu, gpa, out, length);
}

void write_physical(Cpu& cpu, Gpa gpa, const u8* data, u32 length) {
  const PageFlags flags = cpu.phys.flags(gpa);
  switch (static_cast<PageKind>(flags & kPageKindMask)) {
    case PageKind::ram:
      if ((flags & kAttrDirtyLog) != 0) cpu.phys.note_write_ahead(gpa, length);
      std::memcpy(cpu.phys.host(gpa), data, length);
      if ((flags & kWriteAttributes) != 0) cpu.phys.note_write(gpa, length);
      break;
    case PageKind::rom:
      break;
    default:
      write_mmio(cpu, gpa, data, length);
  }
}

// Data breakpoints are traps: reported after the instruction (SDM vol. 3B 17.3.1.2).
void note_breakpoints(Cpu& cpu, Gva gva, u32 size, AccessKind kind) {
  if (!breakpoints_armed(cpu)) [[likely]]
    return;
  const u32 hit = match_breakpoints(cpu, gva, size, kind);
  if (hit == 0) return;
  cpu.state.pending_dr6 |= hit;
  cpu.control.raise_event(kEventInspect);
}

}  // namespace

Outcome<> read_linear_slow(Cpu& cpu, Gva gva, void* out, u32 size, bool user) {
  const Parts parts = RS_TRY(locate_parts(cpu, gva, size, AccessKind::read, user));
  u8* bytes = static_cast<u8*>(out);
  read_physical(cpu, parts.gpa[0], bytes, parts.length[0]);
  if (parts.length[1] != 0) read_physical(cpu, parts.gpa[1], bytes + parts.length[0], parts.length[1]);
  note_breakpoints(cpu, gva, size, AccessKind::read);
  return {};
}

Outcome<> write_linear_slow(Cpu& cpu, Gva gva, const void* data, u32 size, bool user) {
  const Parts parts = RS_TRY(locate_parts(cpu, gva, size, AccessKind::write, user));
  const u8* bytes = static_cast<const u8*>(data);
  write_physical(cpu, parts.gpa[0], bytes, parts.length[0]);
  if (parts.length[1] != 0) write_physical(cpu, parts.gpa[1], bytes + parts.length[0], parts.length[1]);
  note_breakpoints(cpu, gva, size, AccessKind::write);
  return {};
}

Outcome<> probe_write_slow(Cpu& cpu, Gva gva, u32 size, bool user) {
  RS_TRY(locate_parts(cpu, gva, size, AccessKind::write, user));
  return {};
}

Outcome<u32> fetch_bytes(Cpu& cpu, Gva gva, u8* out, u32 size) {
  u32 done = 0;
  while (done < size) {
    const Gva at = gva + done;
    const u32 piece = std::min(size - done, kPageSize - (at & kPageOffsetMask));
    const auto gpa = locate(cpu, at, AccessKind::fetch, cpu.user());
    if (!gpa) {
      if (done == 0) return raise(gpa.error());
      break;
    }
    if (const u8* host = cpu.phys.host(*gpa)) {
      std::memcpy(out + done, host, piece);
    } else {
      if (done != 0) break;  // a device is read for an instruction that reaches it, not ahead of one
      for (u32 i = 0; i < piece; ++i) read_mmio(cpu, *gpa + i, out + done + i, 1);
    }
    done += piece;
  }
  return done;
}

Outcome<const TlbEntry*> fill_tlb(Cpu& cpu, Gva gva, AccessKind kind, bool user) {
  const PageTranslation translation = RS_TRY(walk(cpu, gva, kind, user));
  const TlbEntry* entry = install(cpu, gva, translation, user);
  if (entry == nullptr) return nullptr;
  const u32 tag = kind == AccessKind::read    ? entry->read_tag
                  : kind == AccessKind::write ? entry->write_tag
                                              : entry->fetch_tag;
  return tag == Tlb::kInvalid ? nullptr : entry;
}

}  // namespace ringshift
