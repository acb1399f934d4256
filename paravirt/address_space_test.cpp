// What of translations outlives a switch of address spaces, and what must not.
#include "paravirt/address_space.h"

#include "cpu-model/memory_access.h"
#include "paravirt/table_fixture.h"

namespace ringshift::xen {
namespace {

class XenAddressSpace : public XenPageTables {
 protected:
  static constexpr Gva kVa = 5u << 21 | 7u << kPageShift;  // where make_space's L1 has its page

  XenAddressSpace() {
    cpu_.state.cr0 = kCr0Pe | kCr0Pg | kCr0Wp;
    cpu_.state.cr4 = kCr4Pae | kCr4Pge;
    cpu_.state.efer = kEferNxe;
  }

  Mfn page_with(u32 value) {
    const Mfn page = take();
    memory_.write(page, 0, &value, sizeof value);
    return page;
  }
  u32 read(bool user = false) { return read_linear<u32>(cpu_, kVa, user).value_or(~0u); }
  u64 full_flushes() const { return cpu_.tlb.counters.full_flushes; }
  // Whether the Tlb still has the page.
  bool cached() const { return cpu_.tlb.plain_read(kVa, sizeof(u32), false) != nullptr; }

  CpuidTable cpuid_ = *CpuidTable::create("n270");
  RunControl control_;
  Tracer tracer_;
  Cpu cpu_{map_, cpuid_, control_, tracer_};
  Descriptors descriptors_{cpu_, memory_, frames_, tables_, space_};
  AddressSpace address_space_{cpu_, memory_, tables_, descriptors_};
};

// Two spaces of which the second has the first's kernel: its L1, by a directory of its own.
TEST_F(XenAddressSpace, ASharedKernelStaysTranslated) {
  const Space first = make_space();
  const Space second{take(), take(), take(), first.l1, first.page};
  set(second.l3, 0, entry_for(second.l2, kPtePresent));
  set(second.l3, kTopSlot, entry_for(second.l2_top, kPtePresent));
  set(second.l2, 5, entry_for(first.l1, kReadWrite));
  ASSERT_EQ(address_space_.switch_to(first.l3), 0);
  ASSERT_EQ(address_space_.switch_to(second.l3), 0);
  read();
  const u64 before = full_flushes();
  for (const Mfn l3 : {first.l3, second.l3, second.l3, first.l3}) {
    ASSERT_EQ(address_space_.switch_to(l3), 0);
    EXPECT_TRUE(cached());
  }
  EXPECT_EQ(full_flushes(), before);
}

TEST_F(XenAddressSpace, AnotherKernelMappingIsSeenAtOnce) {
  const Space first = make_space();
  const Space second = make_space();
  set(first.l1, 7, entry_for(page_with(1), kReadOnly));
  set(second.l1, 7, entry_for(page_with(2), kReadOnly));
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(address_space_.switch_to(first.l3), 0);
    EXPECT_EQ(read(), 1u);
    ASSERT_EQ(address_space_.switch_to(second.l3), 0);
    EXPECT_EQ(read(), 2u);
  }
}

TEST_F(XenAddressSpace, AMappingThatIsGoneIsNotKept) {
  const Space first = make_space(kReadOnly);
  const Space second = make_space(0);
  ASSERT_EQ(address_space_.switch_to(first.l3), 0);
  EXPECT_NE(read(), ~0u);
  ASSERT_EQ(address_space_.switch_to(second.l3), 0);
  EXPECT_EQ(read(), ~0u);
}

// CR3 reloaded is as good as a flush of each page whose entry was changed.
TEST_F(XenAddressSpace, AChangedEntryIsSeenAfterAReload) {
  const Space space = make_space();
  set(space.l1, 7, entry_for(page_with(1), kReadOnly));
  ASSERT_EQ(address_space_.switch_to(space.l3), 0);
  EXPECT_EQ(read(), 1u);
  ASSERT_EQ(address_space_.update(space.l1, 7, entry_for(page_with(2), kReadOnly), false), 0);
  ASSERT_EQ(address_space_.switch_to(space.l3), 0);
  EXPECT_EQ(read(), 2u);
  // By the directory.
  const Mfn other = take();
  set(other, 7, entry_for(page_with(3), kReadOnly));
  ASSERT_EQ(address_space_.update(space.l2, 5, entry_for(other, kReadWrite), false), 0);
  ASSERT_EQ(address_space_.switch_to(space.l3), 0);
  EXPECT_EQ(read(), 3u);
  // And by the root, which needs no reload.
  const Mfn l2 = take(), l1 = take();
  set(l1, 7, entry_for(page_with(4), kReadOnly));
  set(l2, 5, entry_for(l1, kReadWrite));
  ASSERT_EQ(address_space_.update(space.l3, 0, entry_for(l2, kPtePresent), false), 0);
  EXPECT_EQ(read(), 4u);
}

// An entry that maps the kernel is flushed when it is changed, wherever its table stands.
TEST_F(XenAddressSpace, AChangedEntryIsFlushedAtEveryPlace) {
  const Space space = make_space();
  set(space.l1, 7, entry_for(page_with(1), kReadOnly));
  set(space.l2, 6, entry_for(space.l1, kReadWrite));
  ASSERT_EQ(address_space_.switch_to(space.l3), 0);
  constexpr Gva kOther = kVa + (1u << 21);
  const auto other = [this] { return read_linear<u32>(cpu_, kOther, false).value_or(~0u); };
  EXPECT_EQ(read(), 1u);
  EXPECT_EQ(other(), 1u);
  const u64 before = full_flushes();
  ASSERT_EQ(address_space_.update(space.l1, 7, entry_for(page_with(2), kReadOnly), false), 0);
  ASSERT_EQ(address_space_.switch_to(space.l3), 0);
  EXPECT_EQ(read(), 2u);
  EXPECT_EQ(other(), 2u);
  EXPECT_EQ(full_flushes(), before);
  // Known before, at one place by now, and then at another.
  ASSERT_EQ(address_space_.update(space.l2, 6, 0, false), 0);
  ASSERT_EQ(address_space_.switch_to(space.l3), 0);
  ASSERT_EQ(address_space_.update(space.l2, 6, entry_for(space.l1, kReadWrite), false), 0);
  ASSERT_EQ(address_space_.update(space.l2, 5, 0, false), 0);
  ASSERT_EQ(address_space_.switch_to(space.l3), 0);
  EXPECT_EQ(other(), 2u);
  ASSERT_EQ(address_space_.update(space.l1, 7, entry_for(page_with(3), kReadOnly), false), 0);
  ASSERT_EQ(address_space_.switch_to(space.l3), 0);
  EXPECT_EQ(other(), 3u);
}

// One directory at two places: the table under it is named once, and is at both.
TEST_F(XenAddressSpace, AChangedEntryIsFlushedUnderADirectoryThatIsThereTwice) {
  const Space space = make_space();
  set(space.l1, 7, entry_for(page_with(1), kReadOnly));
  set(space.l3, 1, entry_for(space.l2, kPtePresent));
  ASSERT_EQ(address_space_.switch_to(space.l3), 0);
  const auto other = [this] { return read_linear<u32>(cpu_, kVa + (1u << 30), false).value_or(~0u); };
  for (u32 value = 2; value < 5; ++value) {
    read();
    other();
    ASSERT_EQ(address_space_.update(space.l1, 7, entry_for(page_with(value), kReadOnly), false), 0);
    ASSERT_EQ(address_space_.switch_to(space.l3), 0);
    EXPECT_EQ(read(), value);
    EXPECT_EQ(other(), value);
  }
}

// What was compared once may have changed since: an L1 that had nothing of the supervisor's gets some.
TEST_F(XenAddressSpace, AnswersDoNotOutliveTheTables) {
  const Space first = make_space(kReadOnly | kPteUser);
  const Space second = make_space(kReadOnly | kPteUser);
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(address_space_.switch_to(first.l3), 0);
    ASSERT_EQ(address_space_.switch_to(second.l3), 0);
  }
  ASSERT_EQ(address_space_.switch_to(first.l3), 0);
  ASSERT_EQ(address_space_.update(first.l1, 7, entry_for(page_with(1), kReadOnly), false), 0);
  ASSERT_EQ(address_space_.update(second.l1, 7, entry_for(page_with(2), kReadOnly), false), 0);
  ASSERT_EQ(address_space_.switch_to(first.l3), 0);
  EXPECT_EQ(read(), 1u);
  ASSERT_EQ(address_space_.switch_to(second.l3), 0);
  EXPECT_EQ(read(), 2u);
}

// Programs' pages never survive.
TEST_F(XenAddressSpace, UserPagesAreFlushed) {
  const Space space = make_space(kReadOnly | kPteUser);
  ASSERT_EQ(address_space_.switch_to(space.l3), 0);
  ASSERT_EQ(address_space_.switch_to(space.l3), 0);
  read();
  EXPECT_TRUE(cached());
  ASSERT_EQ(address_space_.switch_to(space.l3), 0);
  EXPECT_FALSE(cached());
}

}  // namespace
}  // namespace ringshift::xen
