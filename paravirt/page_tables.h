// PageTables: direct paging: the guest's page tables are the CPU's, so each entry is checked before it
// counts.
//
// A frame becomes a page table of one level by validation of all its entries; each present entry holds a
// reference to what it names, typed by what it allows. Such a frame is writable nowhere, and is changed
// through update() alone. Levels only ever name the level below: there are no linear page tables.
#pragma once

#include <array>
#include <utility>

#include "paravirt/frame_table.h"
#include "paravirt/hypervisor_space.h"
#include "paravirt/page_entry.h"

namespace ringshift::xen {

class PageTables {
 public:
  PageTables(MachineMemory& memory, FrameTable& frames, HypervisorSpace& space)
      : memory_(memory), frames_(frames), space_(space) {}

  // A reference to the frame as one of this type; validates it if it isn't of that type yet. False, and
  // nothing changed, if it can't be: not the domain's, in use as something else, bad contents.
  bool get(u64 mfn, FrameType type);
  void put(Mfn mfn);

  // 0 or a negative error number of Xen's. type: l1, l2 or l3.
  int pin(u64 mfn, FrameType type);
  int unpin(u64 mfn);

  // Writes an entry of a page table, or any 8 aligned bytes of a frame that isn't one. keep_marks: A and D
  // stay set. 0 or a negative error number.
  int update(u64 mfn, u32 index, u64 value, bool keep_marks);

  // Whether every mapping of the supervisor's in the address space of one L3 is there in another's as well,
  // by the same L1.
  bool keeps_supervisor(Mfn from, Mfn to);
  // A mapping of the supervisor's may have changed since all translations were flushed, but for entries of
  // L1s: whether the last update() was of one, is asked after each.
  bool supervisor_changed() const { return supervisor_changed_; }
  void note_full_flush() { supervisor_changed_ = false; }
  bool take_entry_changed() { return std::exchange(entry_changed_, false); }
  // Whether one entry alone, of all tables, names this table.
  bool at_one_place(Mfn table) const {
    const Frame& frame = frames_.at(table);
    return frame.type_count == (frame.pinned ? 2u : 1u);
  }

  // Whether the monitor may write to the frame for the guest now.
  bool plain(u64 mfn) const;

 private:
  bool get_type(Mfn mfn, FrameType type);
  void put_type(Mfn mfn);
  void retype(Mfn mfn, FrameType type);
  bool validate(Mfn mfn, FrameType type);
  bool validate_descriptors(Mfn mfn);
  void count_supervisor_entries(Mfn l1);
  void release(Mfn mfn, FrameType type, u32 end);
  bool get_entry(FrameType table, u32 index, u64 entry);
  void put_entry(FrameType table, u64 entry);
  int change(Mfn mfn, FrameType table, u32 index, u64 value, bool keep_marks);

  void note_change(Mfn mfn, FrameType table, u64 old, u64 value);
  bool compare_supervisor(Mfn from, Mfn to) const;
  bool keeps_directory(u64 from, u64 to) const;

  MachineMemory& memory_;
  FrameTable& frames_;
  HypervisorSpace& space_;
  bool supervisor_changed_ = true;
  bool entry_changed_ = false;
  // keeps_supervisor's answers, of use while no table above the L1s has changed.
  struct Answer {
    Mfn from = 0, to = 0;
    u64 version = 0;
    bool keeps = false;
  };
  u64 version_ = 1;
  std::array<Answer, 16> answers_{};
};

}  // namespace ringshift::xen
