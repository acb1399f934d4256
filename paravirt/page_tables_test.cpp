// Frame types and counts, and forgeries of page tables that must be refused without a trace.
#include "paravirt/table_fixture.h"
#include "paravirt/xen_errors.h"

namespace ringshift::xen {
namespace {

TEST_F(XenPageTables, PinAndUnpinOfASpaceLeaveEveryCountAsItWas) {
  const Space s = make_space();
  ASSERT_EQ(tables_.pin(s.l3, FrameType::l3), 0);
  EXPECT_EQ(frames_.at(s.l3).type, FrameType::l3);
  EXPECT_EQ(frames_.at(s.l2).type, FrameType::l2);
  EXPECT_EQ(frames_.at(s.l2_top).type, FrameType::l2_top);
  EXPECT_EQ(frames_.at(s.l1).type, FrameType::l1);
  EXPECT_EQ(frames_.at(s.page).type, FrameType::writable);
  EXPECT_EQ(frames_.at(s.page).type_count, 1u);
  EXPECT_EQ(frames_.at(s.page).count, 2u);
  EXPECT_EQ(tables_.pin(s.l3, FrameType::l3), -XEN_EINVAL) << "pinned twice";
  ASSERT_EQ(tables_.unpin(s.l3), 0);
  EXPECT_EQ(tables_.unpin(s.l3), -XEN_EINVAL) << "unpinned twice";
  expect_all_free();
}

TEST_F(XenPageTables, TheTopDirectoryGetsTheHypervisorsEntries) {
  const Space s = make_space();
  set(s.l2_top, kFirstHypervisorSlot, entry_for(s.page, kReadWrite));  // ignored, and written over
  ASSERT_EQ(tables_.pin(s.l3, FrameType::l3), 0);
  const u64 entry = memory_.entry(s.l2_top, kFirstHypervisorSlot);
  EXPECT_FALSE(frames_.is_domains(frame_of(entry)));
  EXPECT_FALSE(is_writable(entry));
  // All that it maps is read-only.
  for (u32 slot = kFirstHypervisorSlot; slot < kEntries; ++slot) {
    const u64 top = memory_.entry(s.l2_top, slot);
    if (!is_present(top)) continue;
    EXPECT_FALSE(is_writable(top) || (top & kPteUser) != 0);
    for (u32 i = 0; i < kEntries; ++i) {
      const u64 leaf = memory_.entry(static_cast<Mfn>(frame_of(top)), i);
      EXPECT_FALSE(is_writable(leaf) || (leaf & kPteUser) != 0);
    }
  }
  EXPECT_EQ(tables_.update(s.l2_top, kFirstHypervisorSlot, 0, false), -XEN_EPERM);
  EXPECT_EQ(tables_.update(s.l2_top, kEntries - 1, entry_for(s.l1, kReadWrite), false), -XEN_EPERM);
}

TEST_F(XenPageTables, NoTableIsMappedWritable) {
  const Space s = make_space();
  for (const Mfn table : {s.l1, s.l2, s.l2_top, s.l3}) {
    set(s.l1, 8, entry_for(table, kReadWrite));
    EXPECT_EQ(tables_.pin(s.l3, FrameType::l3), -XEN_EINVAL);
    expect_all_free();
    set(s.l1, 8, entry_for(table, kReadOnly));
    EXPECT_EQ(tables_.pin(s.l3, FrameType::l3), 0) << "read-only it may be";
    EXPECT_EQ(tables_.update(s.l1, 8, entry_for(table, kReadWrite), false), -XEN_EINVAL);
    EXPECT_EQ(memory_.entry(s.l1, 8), entry_for(table, kReadOnly));
    EXPECT_EQ(tables_.unpin(s.l3), 0);
    expect_all_free();
  }
}

TEST_F(XenPageTables, WhatIsMappedWritableIsNoTable) {
  const Space s = make_space();
  ASSERT_EQ(tables_.pin(s.l3, FrameType::l3), 0);
  for (const FrameType type : {FrameType::l1, FrameType::l2, FrameType::l3, FrameType::descriptors})
    EXPECT_FALSE(tables_.get(s.page, type));
  EXPECT_EQ(tables_.update(s.l2, 6, entry_for(s.page, kReadWrite), false), -XEN_EINVAL);
  EXPECT_EQ(tables_.update(s.l1, 7, entry_for(s.page, kReadOnly), false), 0);
  EXPECT_TRUE(tables_.get(s.page, FrameType::l1)) << "read-only mappings are no hindrance";
  tables_.put(s.page);
}

TEST_F(XenPageTables, ForeignFramesAreNotReached) {
  const Space s = make_space();
  ASSERT_EQ(tables_.pin(s.l3, FrameType::l3), 0);
  const u64 frames[] = {foreign(),  memory_.frames() - 1, memory_.frames(),
                        0xffffffff, u64{1} << 32,         (u64{1} << 40) - 1};
  for (const u64 mfn : frames) {
    for (const u64 bits : {kReadOnly, kReadWrite})
      EXPECT_EQ(tables_.update(s.l1, 9, (mfn << kPageShift & kPteFrame) | bits, false), -XEN_EINVAL) << mfn;
    EXPECT_EQ(tables_.update(s.l2, 9, (mfn << kPageShift & kPteFrame) | kReadWrite, false), -XEN_EINVAL)
        << mfn;
    EXPECT_EQ(tables_.update(mfn, 0, 0, false), -XEN_EINVAL) << mfn;
    EXPECT_EQ(tables_.pin(mfn, FrameType::l1), -XEN_EINVAL) << mfn;
    EXPECT_EQ(tables_.unpin(mfn), -XEN_EINVAL) << mfn;
    EXPECT_FALSE(tables_.plain(mfn)) << mfn;
  }
  EXPECT_EQ(memory_.entry(s.l1, 9), 0u);
}

TEST_F(XenPageTables, LevelsNameTheLevelBelowAlone) {
  const Space s = make_space();
  ASSERT_EQ(tables_.pin(s.l3, FrameType::l3), 0);
  // Recursive and linear entries (XSA-185, XSA-240).
  for (const Mfn wrong : {s.l2, s.l2_top, s.l3})
    EXPECT_EQ(tables_.update(s.l2, 9, entry_for(wrong, kReadOnly), false), -XEN_EINVAL);
  for (const Mfn wrong : {s.l1, s.l2_top, s.l3})
    EXPECT_EQ(tables_.update(s.l3, 1, entry_for(wrong, kPtePresent), false), -XEN_EINVAL);
  EXPECT_EQ(tables_.update(s.l3, kTopSlot, 0, false), -XEN_EINVAL);
  EXPECT_EQ(tables_.update(s.l3, 4, 0, false), -XEN_EPERM);
  const Mfn self = take();
  set(self, 0, entry_for(self, kReadOnly));
  EXPECT_EQ(tables_.pin(self, FrameType::l2), -XEN_EINVAL);
  EXPECT_EQ(tables_.pin(self, FrameType::l3), -XEN_EINVAL);
  expect_free(self);
}

TEST_F(XenPageTables, BitsThatAreNotTheGuestsAreRefused) {
  const Space s = make_space();
  ASSERT_EQ(tables_.pin(s.l3, FrameType::l3), 0);
  for (unsigned bit : {3u, 4u, 7u, 8u, 52u, 62u}) {
    const u64 entry = entry_for(s.page, kReadWrite) | u64{1} << bit;
    EXPECT_EQ(tables_.update(s.l1, 7, entry, false), -XEN_EINVAL) << "also if nothing else changes: " << bit;
    EXPECT_EQ(tables_.update(s.l1, 8, entry, false), -XEN_EINVAL) << bit;
    EXPECT_EQ(tables_.update(s.l2, 8, entry_for(s.l1, kReadWrite) | u64{1} << bit, false), -XEN_EINVAL)
        << bit;
  }
  // XSA-212's and -182's like: a fast path that lets rights slip through.
  EXPECT_EQ(tables_.update(s.l2, 5, entry_for(s.l1, kReadWrite) | u64{1} << 7, false), -XEN_EINVAL);
}

TEST_F(XenPageTables, AnL3WithoutOrWithAnothersTopDirectoryIsRefused) {
  const Space first = make_space();
  ASSERT_EQ(tables_.pin(first.l3, FrameType::l3), 0);
  const Space second = make_space();
  set(second.l3, kTopSlot, 0);
  EXPECT_EQ(tables_.pin(second.l3, FrameType::l3), -XEN_EINVAL);
  set(second.l3, kTopSlot, entry_for(first.l2_top, kPtePresent));
  EXPECT_EQ(tables_.pin(second.l3, FrameType::l3), -XEN_EINVAL) << "it belongs to one alone";
  set(second.l3, kTopSlot, entry_for(second.l2, kPtePresent));
  EXPECT_EQ(tables_.pin(second.l3, FrameType::l3), -XEN_EINVAL) << "one directory at both places";
  expect_free(second.l3);
  expect_free(second.l2);
  expect_free(second.l1);
  set(second.l3, kTopSlot, entry_for(second.l2_top, kPtePresent));
  EXPECT_EQ(tables_.pin(second.l3, FrameType::l3), 0);
}

TEST_F(XenPageTables, AFailedValidationGivesBackWhatItTook) {
  const Space s = make_space();
  for (u32 i = 100; i < 200; ++i) set(s.l1, i, entry_for(s.page, kReadWrite));
  set(s.l1, kEntries - 1, entry_for(foreign(), kReadOnly));
  EXPECT_EQ(tables_.pin(s.l3, FrameType::l3), -XEN_EINVAL);
  expect_all_free();
}

TEST_F(XenPageTables, ASharedFrameIsWritableForEver) {
  Mfn shared = 0;
  ASSERT_TRUE(space_.share_frame(shared));
  for (const FrameType type : {FrameType::l1, FrameType::l2, FrameType::l3, FrameType::descriptors})
    EXPECT_FALSE(tables_.get(shared, type));
  const Space s = make_space();
  ASSERT_EQ(tables_.pin(s.l3, FrameType::l3), 0);
  EXPECT_EQ(tables_.update(s.l1, 8, entry_for(shared, kReadWrite), false), 0);
  EXPECT_EQ(tables_.update(s.l1, 8, 0, false), 0);
  EXPECT_FALSE(tables_.get(shared, FrameType::l1));
  EXPECT_FALSE(frames_.take(shared));
}

// Stores of the guest to a page table are on no fast path, whatever translation it has kept (XSA-286).
TEST_F(XenPageTables, TheAttributeFollowsTheType) {
  const Space s = make_space();
  ASSERT_EQ(tables_.pin(s.l3, FrameType::l3), 0);
  const auto marked = [&](Mfn mfn) { return (map_.flags(u64{mfn} << kPageShift) & kAttrPageTable) != 0; };
  EXPECT_TRUE(marked(s.l3) && marked(s.l2) && marked(s.l2_top) && marked(s.l1));
  EXPECT_FALSE(marked(s.page));
  ASSERT_EQ(tables_.unpin(s.l3), 0);
  ASSERT_TRUE(tables_.get(s.l1, FrameType::writable));
  EXPECT_FALSE(marked(s.l1));
  tables_.put(s.l1);
}

TEST_F(XenPageTables, AFrameInUseIsNotGivenBack) {
  const Space s = make_space();
  ASSERT_EQ(tables_.pin(s.l3, FrameType::l3), 0);
  for (const Mfn mfn : {s.l3, s.l2, s.l1, s.page}) EXPECT_FALSE(frames_.take(mfn));
  ASSERT_EQ(tables_.unpin(s.l3), 0);
  EXPECT_TRUE(frames_.take(s.page));
  EXPECT_FALSE(frames_.take(s.page)) << "twice";
  EXPECT_EQ(tables_.pin(s.l3, FrameType::l3), -XEN_EINVAL) << "it is nobody's now";
}

TEST_F(XenPageTables, DescriptorPagesAreChecked) {
  const Mfn page = take();
  constexpr u64 kFlatRing0 = 0x00cf9a000000ffff;
  set(page, 1, kFlatRing0);
  ASSERT_TRUE(tables_.get(page, FrameType::descriptors));
  EXPECT_EQ(memory_.entry(page, 1), 0x00cfbb000000ffffu) << "DPL 1, accessed";
  EXPECT_FALSE(tables_.get(page, FrameType::writable));
  EXPECT_EQ(tables_.update(page, 1, 0, false), -XEN_EINVAL) << "by update_descriptor alone";
  tables_.put(page);
  // Call gate, TSS, LDT, interrupt gate; long mode code.
  for (const u64 bad : {0x0000ec0000080000u, 0x0000890000000067u, 0x0000820000000067u, 0x00008e0000080000u,
                        0x00af9a000000ffffu}) {
    set(page, 2, bad);
    EXPECT_FALSE(tables_.get(page, FrameType::descriptors)) << std::hex << bad;
    expect_free(page);
  }
}

class XenPageTablesFewReferences : public XenPageTables {
 protected:
  static constexpr u32 kMost = 10;
  XenPageTablesFewReferences() : XenPageTables(kMost) {}
};

TEST_F(XenPageTablesFewReferences, AnOverflowOfACountIsAnError) {
  const Space s = make_space(0);
  ASSERT_EQ(tables_.pin(s.l3, FrameType::l3), 0);
  u32 mapped = 0;
  while (mapped < 2 * kMost && tables_.update(s.l1, 100 + mapped, entry_for(s.page, kReadOnly), false) == 0)
    ++mapped;
  EXPECT_EQ(mapped, kMost - 1);
  EXPECT_EQ(frames_.at(s.page).count, kMost);
  for (u32 i = 0; i < mapped; ++i) EXPECT_EQ(tables_.update(s.l1, 100 + i, 0, false), 0);
  expect_free(s.page);
  // The L1's own count, by entries of the directory.
  u32 named = 0;
  while (named < 2 * kMost && tables_.update(s.l2, 100 + named, entry_for(s.l1, kReadWrite), false) == 0)
    ++named;
  EXPECT_LT(named, kMost);
  EXPECT_LE(frames_.at(s.l1).type_count, kMost);
}

}  // namespace
}  // namespace ringshift::xen
