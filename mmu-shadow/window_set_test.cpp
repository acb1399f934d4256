// Which window is in use, what is kept over CR3 loads, how stale it may get, what goes when VMAs run out.
#include "mmu-shadow/window_set.h"

#include <random>

#include "cpu-model/control_registers.h"
#include "mmu-shadow/window_fixture.h"

namespace ringshift {
namespace {

constexpr Gva kKernel = 0xc0000000;
constexpr u32 kKernelData = kP | kW | kA | kD | kG;
constexpr Gpa kOther = 0x20000;  // another page directory

class Windows : public SetFixture {
 protected:
  FillResult fill(Gva gva, AccessKind kind) { return done(set_.fill(gva, kind)); }
  void user(Gpa directory) {
    load_cr3(directory);
    set_cpl(3);
    in();
  }
};

TEST_F(Windows, WithoutPagingRamIsOneMapping) {
  ShadowWindow& window = in();
  EXPECT_EQ(window.key().role, WindowRole::physical);
  EXPECT_EQ(fill(kPages, AccessKind::write), FillResult::mapped);
  EXPECT_EQ(window.pages(), (kRam - 0xc0000) >> kPageShift);
  EXPECT_EQ(window.vmas(), 1 + WindowRange::kGuardVmas);
  EXPECT_EQ(read_at(window, kRam - kPageSize), u32{kRam - kPageSize});
  EXPECT_FALSE(read_at(window, kRam));
  EXPECT_EQ(fill(0xa0000, AccessKind::read), FillResult::slow);
  EXPECT_FALSE(read_at(window, 0xbfffc));
  EXPECT_EQ(fill(0, AccessKind::write), FillResult::mapped);
  EXPECT_EQ(kernel_vmas(window), window.vmas());
  set_cpl(3);
  EXPECT_EQ(&in(), &window);
  // A20: everything is elsewhere now.
  cpu_.state.a20_masked = 1;
  cpu_.flush_all();
  EXPECT_EQ(in().pages(), 0u);
  EXPECT_EQ(fill(kPages + 0x100000, AccessKind::read), FillResult::mapped);
  EXPECT_EQ(read_at(window, kPages + 0x100000), u32{kPages});
  EXPECT_EQ(read_at(window, kPages + 0x1ff000), u32{kPages} + 0xff000);
  // The range of the other parity is another run: the same frames, a second time.
  EXPECT_FALSE(window.present(kPages + 0x200000));
}

TEST_F(Windows, SupervisorAndUserAreApart) {
  enable_paging();
  map(kKernel, kPages, kKernelData);
  map(kGva, kPages + kPageSize, kUserData);
  map(kGva + 0x1000, kPages + 2 * kPageSize, kKernelData & ~kG);
  map(kGva + 0x2000, kPages + 3 * kPageSize, kUserData | kG);
  ShadowWindow& kernel = in();
  EXPECT_EQ(kernel.key().role, WindowRole::global);
  EXPECT_EQ(fill(kKernel, AccessKind::write), FillResult::mapped);
  EXPECT_EQ(fill(kGva, AccessKind::read), FillResult::outside);
  EXPECT_EQ(fill(kGva + 0x1000, AccessKind::read), FillResult::outside);
  EXPECT_EQ(fill(kGva + 0x2000, AccessKind::read), FillResult::outside);
  EXPECT_EQ(kernel.pages(), 1u);
  set_cpl(3);
  EXPECT_EQ(fill(kGva, AccessKind::read), FillResult::slow) << "the window in use is another privilege's";
  ShadowWindow& own = in();
  EXPECT_NE(&own, &kernel);
  EXPECT_EQ(fill(kGva, AccessKind::write), FillResult::mapped);
  EXPECT_FAULT(Fault::pf(kKernel, kPfPresent | kPfUser), set_.fill(kKernel, AccessKind::read));
  EXPECT_FALSE(read_at(own, kKernel));
  EXPECT_TRUE(read_at(own, kGva));
  EXPECT_FALSE(read_at(kernel, kGva));
}

TEST_F(Windows, WithoutGlobalPagesTheSupervisorHasWindowsByAddressSpace) {
  enable_paging();
  cpu_.state.cr4 &= ~u64{kCr4Pge};
  map(kKernel, kPages, kKernelData);
  EXPECT_EQ(in().key(), (WindowKey{WindowRole::supervisor, kDirectory}));
  EXPECT_EQ(fill(kKernel, AccessKind::write), FillResult::mapped);
  EXPECT_TRUE(writable_at(in(), kKernel));
  map(kKernel, kPages + 0x1000, kKernelData);
  load_cr3(kDirectory);
  EXPECT_FALSE(read_at(in(), kKernel));
}

TEST_F(Windows, Cr3LoadLeavesTheGlobalWindowAlone) {
  enable_paging();
  map(kKernel, kPages, kKernelData);
  ShadowWindow& kernel = in();
  fill(kKernel, AccessKind::read);
  poke<u32>(kOther + 768 * 4, peek_at<u32>(kDirectory + 768 * 4));
  load_cr3(kOther);
  EXPECT_EQ(&in(), &kernel);
  EXPECT_EQ(kernel.counters().resyncs, 0u);
  EXPECT_TRUE(read_at(kernel, kKernel));
  map(kKernel, kPages + 0x1000, kKernelData);
  EXPECT_EQ(read_at(in(), kKernel), u32{kPages}) << "stale until it is flushed";
  cpu_.flush_page(kKernel);
  EXPECT_FALSE(read_at(in(), kKernel));
  fill(kKernel, AccessKind::read);
  EXPECT_EQ(read_at(in(), kKernel), u32{kPages} + 0x1000);
  map(kKernel, kPages, kKernelData);
  cpu_.flush_all();  // CR4.PGE toggled
  EXPECT_FALSE(read_at(in(), kKernel));
}

TEST_F(Windows, UserWindowsAreKeptByCr3AndComparedWhenEntered) {
  enable_paging();
  map(kGva, kPages, kUserData);
  map(kGva + 0x5000, kPages + 0x9000, kUserData);
  user(kDirectory);
  fill(kGva, AccessKind::write);
  fill(kGva + 0x5000, AccessKind::write);
  ShadowWindow& first = in();
  user(kOther);
  EXPECT_NE(&in(), &first);
  EXPECT_FAULT(Fault::pf(kGva, kPfUser), set_.fill(kGva, AccessKind::read));
  poke<u32>(kDirectory + (kGva >> 22) * 4, peek_at<u32>(kDirectory + (kGva >> 22) * 4));
  cpu_.state.cr3 = kDirectory;  // for map(); the CPU hasn't been told
  map(kGva, kPages + 0x1000, kUserData);
  user(kDirectory);
  EXPECT_EQ(&in(), &first);
  EXPECT_FALSE(read_at(first, kGva)) << "changed";
  EXPECT_TRUE(writable_at(first, kGva + 0x5000)) << "kept";
  EXPECT_EQ(fill(kGva, AccessKind::read), FillResult::mapped);
  EXPECT_EQ(read_at(first, kGva), u32{kPages} + 0x1000);
}

TEST_F(Windows, ReloadOfTheSameCr3IsAFlushToo) {
  enable_paging();
  map(kGva, kPages, kUserData);
  user(kDirectory);
  fill(kGva, AccessKind::write);
  map(kGva, kPages, kP | kU | kA);
  EXPECT_TRUE(writable_at(in(), kGva)) << "stale until it is flushed";
  user(kDirectory);
  EXPECT_FALSE(writable_at(in(), kGva));
  EXPECT_TRUE(read_at(in(), kGva));
}

TEST_F(Windows, InvlpgTakesTheRunOfChangedPages) {
  enable_paging();
  for (u32 i = 0; i < 8; ++i) map(kGva + i * kPageSize, kPages + i * kPageSize, kUserData);
  user(kDirectory);
  fill(kGva, AccessKind::write);
  for (const u32 i : {1u, 2u, 3u, 4u, 6u}) map(kGva + i * kPageSize, 0, 0);
  cpu_.flush_page(kGva + 0x2123);
  EXPECT_EQ(in().pages(), 5u);
  EXPECT_TRUE(read_at(in(), kGva + 0x1000)) << "stale until it is flushed";
  for (const Gva offset : {0x2000u, 0x3000u, 0x4000u}) EXPECT_FALSE(read_at(in(), kGva + offset));
  for (const Gva offset : {0x5000u, 0x6000u, 0x7000u}) EXPECT_TRUE(read_at(in(), kGva + offset));
  EXPECT_EQ(in().counters().unmap_calls, 1u);
}

TEST_F(Windows, InvlpgOfAPageThatStandsDropsNothing) {
  enable_paging();
  for (u32 i = 0; i < 2; ++i) map(kGva + i * kPageSize, kPages + i * kPageSize, kUserData);
  user(kDirectory);
  fill(kGva, AccessKind::write);
  map(kGva + kPageSize, kPages + kPageSize, kP | kU | kA);  // D and W go
  cpu_.flush_page(kGva);
  EXPECT_EQ(in().pages(), 2u);
  EXPECT_TRUE(writable_at(in(), kGva + kPageSize)) << "stale until it is flushed";
  cpu_.flush_page(kGva + kPageSize);
  EXPECT_FALSE(writable_at(in(), kGva + kPageSize));
  EXPECT_TRUE(writable_at(in(), kGva));
}

// As a kernel does with its fixmap.
TEST_F(Windows, PagesThatLiveShortlyStayOut) {
  enable_paging();
  map(kKernel + kPageSize, kPages + kPageSize, kKernelData);
  const auto live = [&](u32 frame) {
    map(kKernel, kPages + frame * kPageSize, kKernelData);
    cpu_.flush_page(kKernel);
    in();
    return fill(kKernel, AccessKind::read);
  };
  for (u32 i = 0; i <= ShortLivedPages::kPatience; ++i)
    ASSERT_EQ(live(i + 2), i < ShortLivedPages::kPatience ? FillResult::mapped : FillResult::outside) << i;
  EXPECT_FALSE(read_at(in(), kKernel));
  map(kKernel, kPages, kKernelData);
  cpu_.flush_page(kKernel);
  EXPECT_EQ(fill(kKernel + kPageSize, AccessKind::read), FillResult::mapped);
  EXPECT_FALSE(read_at(in(), kKernel)) << "nor with its neighbours";
  EXPECT_EQ(fill(kKernel, AccessKind::read), FillResult::outside);
}

// Copy on write changes a page of each process once.
TEST_F(Windows, AProcessKeepsItsPages) {
  enable_paging();
  user(kDirectory);
  for (u32 i = 0; i < 4 * ShortLivedPages::kPatience; ++i) {
    map(kGva, kPages + i % 4 * kPageSize, kUserData);
    cpu_.flush_page(kGva);
    in();
    ASSERT_EQ(fill(kGva, AccessKind::write), FillResult::mapped) << i;
  }
}

TEST_F(Windows, ModeChangeEmpties) {
  enable_paging();
  map(kKernel, kPages, kKernelData & ~kW);
  cpu_.state.cr0 &= ~u64{kCr0Wp};
  in();
  fill(kKernel, AccessKind::write);
  EXPECT_TRUE(writable_at(in(), kKernel)) << "CR0.WP is 0";
  cpu_.state.cr0 |= kCr0Wp;
  cpu_.flush_all();
  EXPECT_FALSE(writable_at(in(), kKernel));
  EXPECT_FAULT(Fault::pf(kKernel, kPfPresent | kPfWrite), set_.fill(kKernel, AccessKind::write));
}

TEST_F(Windows, AttributesReachEveryWindow) {
  enable_paging();
  map(kKernel, kPages, kKernelData);
  map(kGva, kPages, kUserData);
  in();
  fill(kKernel, AccessKind::write);
  ShadowWindow& kernel = in();
  user(kDirectory);
  fill(kGva, AccessKind::write);
  phys_.add_attribute(kPages, kAttrPageTable);
  EXPECT_FALSE(writable_at(kernel, kKernel));
  EXPECT_FALSE(writable_at(in(), kGva));
  phys_.set_kind(kPages, 1, PageKind::unmapped);
  EXPECT_FALSE(read_at(kernel, kKernel));
  EXPECT_FALSE(read_at(in(), kGva));
}

TEST_F(Windows, WithPagingOnTheFirstChangeEmptiesTheWindowForPagingOff) {
  ShadowWindow& physical = in();
  fill(kPages, AccessKind::write);
  phys_.add_attribute(kPages, kAttrBtCode);
  EXPECT_FALSE(writable_at(physical, kPages));
  EXPECT_TRUE(writable_at(physical, kPages + kPageSize)) << "while it is in use, it follows";
  enable_paging();
  map(kKernel, kPages, kKernelData);
  cpu_.flush_all();
  EXPECT_NE(&in(), &physical);
  EXPECT_GT(physical.pages(), 0u);
  phys_.add_attribute(kPages + kPageSize, kAttrBtCode);
  EXPECT_EQ(physical.pages(), 0u);
  cpu_.state.cr0 &= ~u64{kCr0Pg};
  cpu_.flush_all();
  EXPECT_EQ(&in(), &physical);
  EXPECT_EQ(fill(kPages + kPageSize, AccessKind::read), FillResult::mapped);
  EXPECT_FALSE(writable_at(physical, kPages + kPageSize));
}

TEST_F(Windows, LeastRecentlyUsedIsRecycled) {
  enable_paging();
  WindowSet small(cpu_, {.windows = 3});
  set_cpl(3);
  const auto use = [&](Gpa directory) {
    cpu_.state.cr3 = directory;
    small.on_flush_address_space();
    poke<u32>(directory + (kGva >> 22) * 4, kTables | kP | kW | kU | kA);
    poke<u32>(kTables + (kGva >> 12 & 1023) * 4, kPages | kUserData);
    ShadowWindow* window = small.enter();
    EXPECT_NE(small.fill(kGva, AccessKind::read).value(), FillResult::no_room);
    return window;
  };
  ShadowWindow* const first = use(0x30000);
  ShadowWindow* const second = use(0x31000);
  ShadowWindow* const third = use(0x32000);
  EXPECT_EQ(use(0x30000), first);
  EXPECT_EQ(use(0x33000), second);
  EXPECT_EQ(use(0x32000), third);
  EXPECT_EQ(small.counters().windows_made, 3u);
  EXPECT_EQ(small.counters().recycled, 1u);
  EXPECT_EQ(small.pages(), 3u);
}

// Every other page of several address spaces, at random: never more VMAs than allowed, and always an answer.
TEST_F(Windows, SparseMapsStayWithinTheBudget) {
  enable_paging();
  constexpr u64 kBudget = 600;
  WindowSet small(cpu_, {.windows = 4, .vmas = kBudget});
  // One page table for all of 64 MiB at 16 places: scattered frames.
  std::mt19937 random(7);
  for (u32 i = 0; i < 1024; ++i)
    poke<u32>(kTables + i * 4, (kPages + (random() % 2048) * kPageSize) | kUserData);
  for (Gpa directory = 0x30000; directory < 0x36000; directory += kPageSize)
    for (u32 i = 0; i < 16; ++i) poke<u32>(directory + i * 4, kTables | kP | kW | kU | kA);
  set_cpl(3);
  for (int i = 0; i < 8000; ++i) {
    if (i % 500 == 0) {
      cpu_.state.cr3 = 0x30000 + (random() % 6) * kPageSize;
      small.on_flush_address_space();
      small.enter();
    }
    const Gva gva = (random() % (16 * 1024)) << kPageShift;
    ShadowWindow& window = *small.current();
    const bool there = window.present(gva);
    const FillResult result = small.fill(gva, AccessKind::write).value();
    ASSERT_EQ(result, there ? FillResult::slow : FillResult::mapped);
    ASSERT_LE(small.vmas(), kBudget + 3);
    const Gpa page = peek_at<u32>(kTables + (gva >> 12 & 1023) * 4) & ~kPageOffsetMask;
    ASSERT_EQ(read_at(window, gva), static_cast<u32>(page));
  }
  EXPECT_EQ(kernel_vmas(*small.current()), small.current()->vmas());
  EXPECT_GT(small.counters().evictions, 10u);
}

// With no budget of its own the host's limit is hit: mmap fails, and room is made.
TEST_F(Windows, TheHostsOwnLimitEvicts) {
  enable_paging();
  WindowSet greedy(cpu_, {.windows = 2, .vmas = 1u << 30});
  for (u32 i = 0; i < 1024; ++i)
    poke<u32>(kTables + i * 4, (kPages + (i * 2 % 2048) * kPageSize) | kUserData);
  for (u32 i = 0; i < 80; ++i) poke<u32>(kDirectory + i * 4, kTables | kP | kW | kU | kA);
  set_cpl(3);
  greedy.enter();
  u64 most = 0;
  for (u32 page = 0; page < 70 * 1024; ++page) {
    ASSERT_EQ(greedy.fill(page << kPageShift, AccessKind::read).value(), FillResult::mapped);
    most = std::max(most, greedy.vmas());
    if (greedy.counters().evictions != 0) break;
  }
  EXPECT_GT(most, 60000u);
  EXPECT_EQ(greedy.counters().evictions, 1u);
  EXPECT_EQ(kernel_vmas(*greedy.current()), greedy.current()->vmas());
}

}  // namespace
}  // namespace ringshift
