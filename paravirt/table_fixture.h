// XenPageTables: a fixture with frames that are all the domain's, to make page tables of.
#pragma once

#include <gtest/gtest.h>

#include "paravirt/page_tables.h"

namespace ringshift::xen {

inline constexpr u64 kReadOnly = kPtePresent | kPteAccessed;
inline constexpr u64 kReadWrite = kReadOnly | kPteWritable;
inline constexpr u32 kShared = 2;

class XenPageTables : public testing::Test {
 protected:
  explicit XenPageTables(u32 max_references = FrameTable::kMaxReferences)
      : ram_(*GuestMemory::create(u64{8} << 20)),
        map_(ram_),
        memory_(map_),
        frames_(memory_.frames(), max_references),
        space_(memory_, frames_, kShared),
        tables_(memory_, frames_, space_) {
    map_.set_kind(0, memory_.frames(), PageKind::ram);
    for (Mfn mfn = 0; mfn < space_.first_kept(); ++mfn) frames_.give(mfn);
  }

  Mfn take() { return next_++; }
  void set(Mfn table, u32 index, u64 entry) { memory_.set_entry(table, index, entry); }
  // An address space of one page of each kind; the L1 maps `page` by `bits`.
  struct Space {
    Mfn l3, l2_top, l2, l1, page;
  };
  Space make_space(u64 bits = kReadWrite) {
    const Space s{take(), take(), take(), take(), take()};
    set(s.l3, 0, entry_for(s.l2, kPtePresent));
    set(s.l3, kTopSlot, entry_for(s.l2_top, kPtePresent));
    set(s.l2, 5, entry_for(s.l1, kReadWrite));
    set(s.l1, 7, entry_for(s.page, bits));
    return s;
  }
  // Nothing refers to the frame but its allocation.
  void expect_free(Mfn mfn) {
    EXPECT_EQ(frames_.at(mfn).count, 1u) << "frame " << mfn;
    EXPECT_EQ(frames_.at(mfn).type_count, 0u) << "frame " << mfn;
    EXPECT_FALSE(frames_.at(mfn).pinned) << "frame " << mfn;
    EXPECT_FALSE(frames_.at(mfn).validated) << "frame " << mfn;
  }
  void expect_all_free() {
    for (Mfn mfn = 0; mfn < next_; ++mfn) expect_free(mfn);
  }
  Mfn foreign() const { return space_.first_kept() + kShared; }

  GuestMemory ram_;
  PhysicalMap map_;
  MachineMemory memory_;
  FrameTable frames_;
  HypervisorSpace space_;
  PageTables tables_;
  Mfn next_ = 0;
};

}  // namespace ringshift::xen
