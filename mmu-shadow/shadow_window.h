// ShadowWindow: a guest linear address space, mirrored in host address space for one role.
//
// Generated code reaches guest memory as gs:[r32], GS base being the window's base, so that the host's MMU
// does the walk. A page is present only if a plain access of that role may go straight to RAM, and writable
// only if a plain store may. Whatever else is touched faults on the host, and comes to fill().
//
// A window is a TLB (SDM vol. 3A 4.10): it may be stale until INVLPG, MOV CR3 and the like, never longer.
// Records hold the guest's entries as they stood when they were used, and resync() compares.
#pragma once

#include <memory>

#include "cpu-model/paging.h"
#include "mmu-shadow/short_lived_pages.h"
#include "mmu-shadow/window_range.h"
#include "mmu-shadow/window_records.h"

namespace ringshift {

enum class WindowRole : u8 {
  physical,    // paging is off; for every privilege
  global,      // CPL < 3: pages with G=1, U/S=0 under CR4.PGE; of all address spaces
  supervisor,  // CPL < 3: everything; of one address space
  user,        // CPL 3: everything; of one address space
};

struct WindowKey {
  WindowRole role = WindowRole::physical;
  u32 cr3 = 0;  // of supervisor and user windows
  bool operator==(const WindowKey&) const = default;
};

enum class FillResult : u8 {
  mapped,   // the access may be tried again, and will not fault on this page
  slow,     // it may not go straight to RAM: MMIO, attributes, a breakpoint; let the interpreter do it
  outside,  // not a page for this window; the soft TLB has it now
  no_room,  // the host has no VMA left for it; make room and ask again
};

class ShadowWindow {
 public:
  // In this process.
  static Result<std::unique_ptr<ShadowWindow>> create(PhysicalMap& physical, WindowKey key);
  // In another address space: there is no base() nor range().
  ShadowWindow(PhysicalMap& physical, WindowKey key, std::unique_ptr<WindowTarget> target);
  ShadowWindow(const ShadowWindow&) = delete;

  u8* base() const { return base_; }
  const WindowRange& range() const { return static_cast<const WindowRange&>(*target_); }
  WindowTarget& target() const { return *target_; }
  WindowKey key() const { return key_; }
  // Empties the window and gives it to another address space.
  void assign(WindowKey key);

  // For a fault of a plain access at gva: walks (so that A, D and #PF are exact) and maps the page, with
  // those of its neighbours that the same call can map. The CPU's role and address space must be the
  // window's.
  Outcome<FillResult> fill(Cpu& cpu, Gva gva, AccessKind kind);
  // The same where it changes nothing of the guest's: only if A (for a write: D) is set already. For pages
  // that will be touched soon, as after a guest's own #PF.
  void prefill(Cpu& cpu, Gva gva, AccessKind kind);

  // The kind or the attributes of a guest-physical page changed: its mappings here follow.
  void on_page_changed(Gpa page);
  // After MOV CR3, CR4 and the like: drops or protects what the tables no longer give. The CPU's address
  // space must be the window's.
  void resync(const Cpu& cpu);
  // After INVLPG.
  void resync_page(const Cpu& cpu, Gva gva);

  void unmap(Gva first, u64 length);
  void drop_all();
  // Unmaps regions until `vmas` fewer are used or nothing is left.
  void evict(u64 vmas);

  bool present(Gva gva) const { return records_.find(gva >> kPageShift) != nullptr; }
  bool writable(Gva gva) const { return writable_page(gva >> kPageShift); }
  u64 pages() const { return records_.pages(); }
  // That the kernel needs for it, guards included.
  u64 vmas() const { return records_.vmas() + WindowRange::kGuardVmas; }

  struct Counters {
    u64 fills = 0;
    u64 pages_mapped = 0;
    u64 slow = 0;
    u64 upgrades = 0;  // read-only to writable
    u64 resyncs = 0;
    u64 resynced_pages = 0;  // compared
    u64 unmap_calls = 0;
    u64 protect_calls = 0;
    u64 full_drops = 0;
    u64 evicted_regions = 0;
  };
  const Counters& counters() const { return counters_; }

 private:
  // What a fill maps: runs of pages that are alike.
  struct Plan {
    u32 page;
    u32 frame;
    bool writable;        // a plain store may go to it
    bool table_writable;  // as far as the page tables say
    u64 leaf;
    DirectoryPath path;
  };
  bool for_this_window(const TlbEntry& entry, const Plan& plan) const;
  FillResult map_plan(const Cpu& cpu, const Plan& plan);
  bool joins(const Cpu& cpu, const Plan& plan, u32 page, bool upgrade) const;
  // How far the plan's neighbours can be mapped with it; upgrade: those that are there, made writable.
  PageRange extent(const Cpu& cpu, const Plan& plan, bool upgrade) const;

  void resync_region(const Cpu& cpu, u32 index);
  void resync_twin(const Cpu& cpu, u32 index);
  bool still_stands(u32 index, const DirectoryPath& path);
  PageRange changed_run(u32 index, const DirectoryPath& path, u32 first) const;
  void compare_pages(u32 index, const DirectoryPath& path, PageRange indices);
  void drop_watched(const Cpu& cpu);
  void protect_pages(PageRange range);
  PageRange code_around(u32 page) const;
  bool writable_page(u32 page) const {
    const WindowRecords::Page* const record = records_.find(page);
    return record != nullptr && record->writable;
  }
  void unmap_pages(PageRange range);
  // Attributes of pages that aren't mapped. In another address space the way past a missing mapping is a trap
  // for each access, which no number of changes outweighs.
  PageFlags kept_off() const { return base_ != nullptr ? kAttrWatch | kAttrNoWindow : kAttrWatch; }
  // Neither can pages that don't live long stay away there. A process's pages each change once, by copy on
  // write, however many processes have the window after another.
  bool keeps_short_lived_out() const { return base_ != nullptr && key_.role != WindowRole::user; }
  static PageRange pages_of_region(u32 index) { return {index * kRegionPages, (index + 1) * kRegionPages}; }

  PhysicalMap& physical_;
  std::unique_ptr<WindowTarget> target_;
  u8* base_ = nullptr;
  WindowKey key_;
  WindowRecords records_;
  ShortLivedPages short_lived_;
  u32 evict_from_ = 0;
  Counters counters_;
};

}  // namespace ringshift
