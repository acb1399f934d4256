// Kinds and attributes of physical pages, and who hears of their changes.
#include "memory/physical_map.h"

#include <algorithm>
#include <cstring>

namespace ringshift {

PhysicalMap::PhysicalMap(GuestMemory& memory) : memory_(memory) {
  void* table = ::mmap(nullptr, kLimit >> kPageShift, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  RS_CHECK(table != MAP_FAILED);
  flags_ = static_cast<PageFlags*>(table);
  set_kind(0, memory.size() >> kPageShift, PageKind::ram);
  constexpr Gpa kVgaWindow = 0xa0000;
  constexpr u64 kVgaPages = 0x20;
  if (memory.size() > kVgaWindow) set_kind(kVgaWindow, kVgaPages, PageKind::unmapped);
}

PhysicalMap::~PhysicalMap() { ::munmap(flags_, kLimit >> kPageShift); }

void PhysicalMap::set_kind(Gpa page, u64 pages, PageKind kind) {
  RS_CHECK(kind == PageKind::unmapped || memory_.contains(page, pages << kPageShift));
  for (u64 i = 0; i < pages; ++i) {
    PageFlags& flags = flags_[(page >> kPageShift) + i];
    const auto wanted = static_cast<PageFlags>((flags & ~kPageKindMask) | static_cast<u8>(kind));
    if (flags == wanted) continue;
    flags = wanted;
    changed(page + (i << kPageShift));
  }
}

void PhysicalMap::add_attribute(Gpa page, PageFlags attribute) {
  if (page >= kLimit || (flags(page) & attribute) == attribute) return;
  flags_[page >> kPageShift] |= attribute;
  changed(page);
}

void PhysicalMap::remove_attribute(Gpa page, PageFlags attribute) {
  if (page >= kLimit || (flags(page) & attribute) == 0) return;
  flags_[page >> kPageShift] &= static_cast<PageFlags>(~attribute);
  changed(page);
}

void PhysicalMap::changed(Gpa page) {
  for (const Entry& entry : listeners_) entry.listener->on_page_changed(align_down(page, Gpa{kPageSize}));
}

void PhysicalMap::add_listener(PhysicalMapListener* listener, PageFlags attributes) {
  listeners_.push_back({listener, attributes});
}

void PhysicalMap::remove_listener(PhysicalMapListener* listener) {
  std::erase_if(listeners_, [&](const Entry& entry) { return entry.listener == listener; });
}

void PhysicalMap::note_write_ahead(Gpa gpa, u32 length) {
  for (const Entry& entry : listeners_)
    if ((entry.attributes & kAttrDirtyLog) != 0) entry.listener->before_write(gpa, length);
}

void PhysicalMap::note_write(Gpa gpa, u32 length) {
  const PageFlags page = flags(gpa);
  for (const Entry& entry : listeners_)
    if ((page & entry.attributes) != 0) entry.listener->on_write(gpa, length);
}

bool PhysicalMap::all_ram(Gpa gpa, u64 length) const {
  if (!memory_.contains(gpa, length)) return false;
  for (Gpa page = align_down(gpa, Gpa{kPageSize}); page < gpa + length; page += kPageSize)
    if (kind(page) == PageKind::unmapped) return false;
  return true;
}

bool PhysicalMap::write(Gpa gpa, const void* data, u64 length) {
  if (!all_ram(gpa, length)) return false;
  std::memcpy(memory_.base() + gpa, data, length);
  for (Gpa at = gpa; at < gpa + length;) {
    const Gpa end = std::min(align_down(at, Gpa{kPageSize}) + kPageSize, gpa + length);
    if ((flags(at) & kWriteAttributes) != 0) note_write(at, static_cast<u32>(end - at));
    at = end;
  }
  for (const Entry& entry : listeners_) entry.listener->on_device_write(gpa, length);
  return true;
}

bool PhysicalMap::read(Gpa gpa, void* data, u64 length) const {
  if (!all_ram(gpa, length)) return false;
  std::memcpy(data, memory_.base() + gpa, length);
  return true;
}

}  // namespace ringshift
