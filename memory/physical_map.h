// PhysicalMap: what stands at each guest-physical page, and the attributes that make a page special.
//
// One byte a page of the lower 4 GiB: its kind, and attribute bits. Everything that must see writes to a page
// (code caches, page-table tracking, dirty log) or every access (watchpoints) sets an attribute on it; the
// fast paths of every engine test this one byte when they cache a translation, and are flushed when it
// changes.
#pragma once

#include <sys/mman.h>

#include <memory>
#include <vector>

#include "base/bits.h"
#include "base/check.h"
#include "base/types.h"
#include "memory/guest_memory.h"

namespace ringshift {

enum class PageKind : u8 {
  unmapped = 0,  // Reads all ones, writes vanish; still dispatched to CpuIo, which may know a device there.
  ram = 1,
  rom = 2,  // RAM-backed; writes vanish.
};

using PageFlags = u8;
inline constexpr PageFlags kPageKindMask = 0x03;
// Attributes. A write to a page with any of kWriteAttributes must go through PhysicalMap::note_write.
inline constexpr PageFlags kAttrInterpCode = 0x04;  // interp caches decoded instructions of it
inline constexpr PageFlags kAttrBtCode = 0x08;      // the translator has blocks from it
inline constexpr PageFlags kAttrPageTable = 0x10;   // a tracked guest page table
inline constexpr PageFlags kAttrWatch = 0x20;       // a debug register or gdb watches it: reads too are slow
inline constexpr PageFlags kAttrDirtyLog = 0x40;
inline constexpr PageFlags kAttrNoWindow =
    0x80;  // what may be done with it changes too often for host mappings
inline constexpr PageFlags kWriteAttributes = 0x7c;

// Told of changes. Called on the vCPU's thread.
class PhysicalMapListener {
 public:
  // [gpa, gpa + length), within one page, was written and the page has some of this listener's attributes.
  virtual void on_write(Gpa gpa, u32 length) = 0;
  // The same bytes, before they are; only for pages with kAttrDirtyLog, and not for A and D bits.
  virtual void before_write(Gpa, u32) {}
  // The kind or attributes of a page changed: cached fast-path translations to it must go.
  virtual void on_page_changed(Gpa page) = 0;
  // [gpa, gpa + length) of RAM was written by PhysicalMap::write: a device or a loader.
  virtual void on_device_write(Gpa, u64) {}

 protected:
  ~PhysicalMapListener() = default;
};

class PhysicalMap {
 public:
  // memory must outlive the map. All of its pages begin as RAM, but for the legacy hole A0000-FFFFF's
  // A0000-BFFFF part (the VGA window), which is unmapped.
  explicit PhysicalMap(GuestMemory& memory);
  PhysicalMap(const PhysicalMap&) = delete;
  ~PhysicalMap();

  GuestMemory& memory() { return memory_; }

  PageFlags flags(Gpa gpa) const { return gpa < kLimit ? flags_[gpa >> kPageShift] : PageFlags{0}; }
  PageKind kind(Gpa gpa) const { return static_cast<PageKind>(flags(gpa) & kPageKindMask); }
  // RAM or ROM at gpa: its host address, valid to the end of the page; else null.
  u8* host(Gpa gpa) const { return kind(gpa) == PageKind::unmapped ? nullptr : memory_.base() + gpa; }

  void set_kind(Gpa page, u64 pages, PageKind kind);
  void add_attribute(Gpa page, PageFlags attribute);
  void remove_attribute(Gpa page, PageFlags attribute);

  // The listener hears on_write for pages that have any bit of `attributes` (0: never), and all page changes.
  void add_listener(PhysicalMapListener* listener, PageFlags attributes);
  void remove_listener(PhysicalMapListener* listener);
  // Before a write to RAM whose page has kAttrDirtyLog; within one page.
  void note_write_ahead(Gpa gpa, u32 length);
  // After a write to RAM whose page has write attributes; within one page.
  void note_write(Gpa gpa, u32 length);
  // The same of a whole page that was written past the attributes (a loader, another engine's dirty log).
  void note_page_write(Gpa page) {
    if ((flags(page) & kWriteAttributes) != 0) note_write(page, kPageSize);
  }

  // Copies to or from RAM as a device's DMA or a loader does, with write notices; false, and nothing done, if
  // the range isn't all RAM.
  bool write(Gpa gpa, const void* data, u64 length);
  bool read(Gpa gpa, void* data, u64 length) const;

 private:
  static constexpr u64 kLimit = u64{4} << 30;
  struct Entry {
    PhysicalMapListener* listener;
    PageFlags attributes;
  };
  bool all_ram(Gpa gpa, u64 length) const;
  void changed(Gpa page);

  GuestMemory& memory_;
  PageFlags* flags_;  // mmap'ed, so that only touched parts cost memory
  std::vector<Entry> listeners_;
};

}  // namespace ringshift
