// What fills put into a window: bytes, permissions, neighbours, A and D; and what takes it out again.
#include "mmu-shadow/shadow_window.h"

#include "cpu-model/control_registers.h"
#include "mmu-shadow/window_fixture.h"

namespace ringshift {
namespace {

constexpr u32 kUserPage = kP | kU | kA;

class UserWindow : public WindowFixture {
 protected:
  UserWindow() {
    enable_paging();
    set_cpl(3);
    window_ = ShadowWindow::create(phys_, {WindowRole::user, kDirectory}).value();
  }
  FillResult fill(Gva gva, AccessKind kind) { return done(window_->fill(cpu_, gva, kind)); }
  std::unique_ptr<ShadowWindow> window_;
};

TEST_F(UserWindow, IsEmptyAtFirstAndAligned) {
  EXPECT_EQ(reinterpret_cast<u64>(window_->base()) % WindowRange::kSize, 0u);
  for (const Gva gva : {0u, 0x1000u, 0x80000000u, 0xfffff000u}) EXPECT_FALSE(read_at(*window_, gva));
  EXPECT_FALSE(read_host(window_->base() - 4));
  EXPECT_FALSE(read_host(window_->base() + WindowRange::kSize));
  EXPECT_EQ(kernel_vmas(*window_), window_->vmas());
}

TEST_F(UserWindow, ReadOnlyPageGivesBytesAndRefusesWrites) {
  map(kGva, kPages, kP | kU);
  EXPECT_EQ(fill(kGva + 0x123, AccessKind::read), FillResult::mapped);
  EXPECT_EQ(read_at(*window_, kGva), u32{kPages});
  EXPECT_FALSE(writable_at(*window_, kGva));
  EXPECT_EQ(entry(kGva) & (kA | kD), kA);
  EXPECT_FAULT(Fault::pf(kGva + 4, kPfPresent | kPfWrite | kPfUser),
               window_->fill(cpu_, kGva + 4, AccessKind::write));
}

TEST_F(UserWindow, FirstWriteSetsDirtyAndMakesWritable) {
  map(kGva, kPages, kP | kU | kW);
  EXPECT_EQ(fill(kGva, AccessKind::read), FillResult::mapped);
  EXPECT_FALSE(writable_at(*window_, kGva)) << "D is clear";
  EXPECT_EQ(fill(kGva, AccessKind::write), FillResult::mapped);
  EXPECT_EQ(entry(kGva) & (kA | kD), kA | kD);
  EXPECT_TRUE(write_at(*window_, kGva + 8, 0x12345678));
  EXPECT_EQ(peek_at<u32>(kPages + 8), 0x12345678u);
  EXPECT_EQ(window_->counters().upgrades, 1u);
}

TEST_F(UserWindow, AbsentAndSupervisorPagesFault) {
  EXPECT_FAULT(Fault::pf(kGva, kPfUser), window_->fill(cpu_, kGva, AccessKind::read));
  map(kGva, kPages, kP | kW | kA | kD);
  EXPECT_FAULT(Fault::pf(kGva, kPfUser | kPfPresent), window_->fill(cpu_, kGva, AccessKind::read));
  EXPECT_FALSE(read_at(*window_, kGva));
}

TEST_F(UserWindow, AFillThatCannotHelpIsSlow) {
  map(kGva, kPages, kUserData);
  EXPECT_EQ(fill(kGva, AccessKind::write), FillResult::mapped);
  EXPECT_EQ(fill(kGva, AccessKind::write), FillResult::slow);
}

TEST_F(UserWindow, NeighboursAlikeComeAlong) {
  for (u32 i = 0; i < 24; ++i) map(kGva + i * kPageSize, kPages + i * kPageSize, kUserData);
  map(kGva + 5 * kPageSize, kPages + 5 * kPageSize, kP | kU | kW | kA);    // not dirty
  map(kGva + 20 * kPageSize, kPages + 20 * kPageSize, kP | kU | kW | kD);  // not accessed
  EXPECT_EQ(fill(kGva + 10 * kPageSize, AccessKind::read), FillResult::mapped);
  EXPECT_EQ(window_->pages(), 14u);  // 6 to 19
  for (u32 i = 6; i < 20; ++i) {
    EXPECT_EQ(read_at(*window_, kGva + i * kPageSize), u32{kPages} + i * kPageSize);
    EXPECT_TRUE(writable_at(*window_, kGva + i * kPageSize));
  }
  EXPECT_FALSE(read_at(*window_, kGva + 5 * kPageSize));
  EXPECT_FALSE(read_at(*window_, kGva + 20 * kPageSize));
  EXPECT_EQ(kernel_vmas(*window_), window_->vmas());
  // One that isn't a neighbour in memory stays out.
  map(kGva + 30 * kPageSize, kPages + 100 * kPageSize, kUserData);
  map(kGva + 31 * kPageSize, kPages + 102 * kPageSize, kUserData);
  EXPECT_EQ(fill(kGva + 30 * kPageSize, AccessKind::read), FillResult::mapped);
  EXPECT_FALSE(window_->present(kGva + 31 * kPageSize));
}

TEST_F(UserWindow, WriteAttributeMakesEveryMappingReadOnly) {
  for (u32 i = 0; i < 8; ++i) map(kGva + i * kPageSize, kPages + i * kPageSize, kUserData);
  map(0xbff00000, kPages + 3 * kPageSize, kUserData);
  fill(kGva, AccessKind::write);
  fill(0xbff00000, AccessKind::write);
  const Gpa page = kPages + 3 * kPageSize;
  phys_.add_attribute(page, kAttrBtCode);
  window_->on_page_changed(page);
  for (u32 i = 0; i < 8; ++i) {
    EXPECT_TRUE(read_at(*window_, kGva + i * kPageSize));
    EXPECT_EQ(writable_at(*window_, kGva + i * kPageSize), i != 3);
  }
  EXPECT_FALSE(writable_at(*window_, 0xbff00000));
  EXPECT_TRUE(read_at(*window_, 0xbff00000));
  EXPECT_EQ(fill(kGva + 3 * kPageSize, AccessKind::write), FillResult::slow);
  EXPECT_EQ(kernel_vmas(*window_), window_->vmas());
  phys_.add_attribute(page + kPageSize, kAttrBtCode);
  window_->on_page_changed(page + kPageSize);
  // Without it, the next write's fill makes all neighbours writable, and the VMA is whole again.
  for (const Gpa at : {page, page + kPageSize}) {
    phys_.remove_attribute(at, kAttrBtCode);
    window_->on_page_changed(at);
  }
  EXPECT_EQ(fill(kGva + 3 * kPageSize, AccessKind::write), FillResult::mapped);
  for (u32 i = 0; i < 8; ++i) EXPECT_TRUE(writable_at(*window_, kGva + i * kPageSize));
  EXPECT_EQ(window_->counters().upgrades, 1u);
  EXPECT_EQ(window_->vmas() - WindowRange::kGuardVmas, 2u);
  EXPECT_EQ(kernel_vmas(*window_), window_->vmas());
}

TEST_F(UserWindow, PagesThatChangeTooOftenLeaveAndStayAway) {
  for (u32 i = 0; i < 3; ++i) map(kGva + i * kPageSize, kPages + i * kPageSize, kUserData);
  fill(kGva, AccessKind::write);
  const Gpa page = kPages + kPageSize;
  phys_.add_attribute(page, kAttrNoWindow);
  window_->on_page_changed(page);
  EXPECT_FALSE(read_at(*window_, kGva + kPageSize));
  EXPECT_EQ(fill(kGva + kPageSize, AccessKind::read), FillResult::outside);
  EXPECT_EQ(fill(kGva + kPageSize, AccessKind::write), FillResult::outside);
  window_->drop_all();
  fill(kGva, AccessKind::write);
  EXPECT_FALSE(read_at(*window_, kGva + kPageSize)) << "nor with its neighbours";
  phys_.remove_attribute(page, kAttrNoWindow);
  window_->on_page_changed(page);
  EXPECT_EQ(fill(kGva + kPageSize, AccessKind::write), FillResult::mapped);
}

TEST_F(UserWindow, WatchedAndUnmappedPagesLeave) {
  for (u32 i = 0; i < 4; ++i) map(kGva + i * kPageSize, kPages + i * kPageSize, kUserData);
  fill(kGva, AccessKind::read);
  phys_.add_attribute(kPages + kPageSize, kAttrWatch);
  window_->on_page_changed(kPages + kPageSize);
  phys_.set_kind(kPages + 2 * kPageSize, 1, PageKind::unmapped);
  window_->on_page_changed(kPages + 2 * kPageSize);
  EXPECT_TRUE(read_at(*window_, kGva));
  EXPECT_FALSE(read_at(*window_, kGva + kPageSize));
  EXPECT_FALSE(read_at(*window_, kGva + 2 * kPageSize));
  EXPECT_TRUE(read_at(*window_, kGva + 3 * kPageSize));
  EXPECT_EQ(fill(kGva + kPageSize, AccessKind::read), FillResult::slow);
  EXPECT_EQ(fill(kGva + 2 * kPageSize, AccessKind::read), FillResult::slow);
  EXPECT_EQ(window_->pages(), 2u);
}

TEST_F(UserWindow, OnlyRamAndRomAreEverMapped) {
  map(kGva, 0xa0000, kUserData);              // the VGA window
  map(kGva + 0x1000, 0xfee00000, kUserData);  // far beyond RAM
  map(kGva + 0x2000, kRam, kUserData);        // just beyond it
  map(kGva + 0x3000, kPages, kUserData);
  phys_.set_kind(kPages, 1, PageKind::rom);
  for (u32 i = 0; i < 3; ++i) {
    EXPECT_EQ(fill(kGva + i * kPageSize, AccessKind::read), FillResult::slow);
    EXPECT_FALSE(read_at(*window_, kGva + i * kPageSize));
  }
  EXPECT_EQ(fill(kGva + 0x3000, AccessKind::read), FillResult::mapped);
  EXPECT_FALSE(writable_at(*window_, kGva + 0x3000)) << "ROM";
  EXPECT_EQ(fill(kGva + 0x3000, AccessKind::write), FillResult::slow);
  // The last page of RAM doesn't bring what follows it.
  map(kGva + 0x1000, kRam - kPageSize, kUserData);
  EXPECT_EQ(fill(kGva + 0x1000, AccessKind::read), FillResult::mapped);
  EXPECT_FALSE(read_at(*window_, kGva + 0x2000));
}

TEST_F(UserWindow, LargePageComesWhole) {
  poke<u32>(kDirectory + 5 * 4, 0x400000 | kPs | kUserData);
  phys_.add_attribute(0x480000, kAttrBtCode);
  EXPECT_EQ(fill(5u << 22, AccessKind::read), FillResult::mapped);
  EXPECT_EQ(window_->pages(), 128u);
  EXPECT_EQ(fill((5u << 22) + 0x300000, AccessKind::write), FillResult::mapped);
  EXPECT_EQ(window_->pages(), 1023u);
  EXPECT_EQ(fill((5u << 22) + 0x80000, AccessKind::read), FillResult::mapped);
  EXPECT_FALSE(writable_at(*window_, (5u << 22) + 0x80000));
  EXPECT_EQ(window_->pages(), 1024u);
  EXPECT_EQ(window_->vmas() - WindowRange::kGuardVmas, 3u);
  EXPECT_EQ(kernel_vmas(*window_), window_->vmas());
  for (const u32 at : {0u, 0x1ff000u, 0x200000u, 0x3ff000u})
    EXPECT_EQ(read_at(*window_, (5u << 22) + at), 0x400000u + at);
  // INVLPG of any of its bytes after a change drops both halves.
  poke<u32>(kDirectory + 5 * 4, 0x800000 | kPs | kUserData);
  window_->resync_page(cpu_, (5u << 22) + 0x80123);
  EXPECT_EQ(window_->pages(), 0u);
  EXPECT_EQ(kernel_vmas(*window_), window_->vmas());
}

TEST_F(UserWindow, KernelCodeTakesItsNeighboursAlong) {
  set_cpl(0);
  window_->assign({WindowRole::supervisor, kDirectory});
  constexpr Gva kLarge = 0xc0000000;
  poke<u32>(kDirectory + (kLarge >> 22) * 4, 0x400000 | kP | kW | kU | kA | kD | kPs);
  fill(kLarge, AccessKind::write);
  const auto mark = [&](Gpa page) {
    phys_.add_attribute(page, kAttrBtCode);
    window_->on_page_changed(page);
  };
  mark(0x400000 + 0x13000);
  mark(0x400000 + 0x15000);
  EXPECT_EQ(window_->counters().protect_calls, 1u) << "the second is protected already";
  for (u32 page = 0; page < 64; ++page)
    ASSERT_EQ(writable_at(*window_, kLarge + page * kPageSize), page < 16 || page >= 32) << page;
  EXPECT_EQ(kernel_vmas(*window_), window_->vmas());
  // A store to what is no code goes through after one fill, which makes all writable that may be.
  EXPECT_EQ(fill(kLarge + 0x1a000, AccessKind::write), FillResult::mapped);
  for (u32 page = 22; page < 40; ++page)
    ASSERT_TRUE(writable_at(*window_, kLarge + page * kPageSize)) << page;
  EXPECT_FALSE(writable_at(*window_, kLarge + 0x15000));
  EXPECT_EQ(fill(kLarge + 0x15000, AccessKind::write), FillResult::slow);
}

TEST_F(UserWindow, LargePageNotDirtyIsReadOnly) {
  poke<u32>(kDirectory + 5 * 4, 0x400000 | kPs | kP | kU | kW);
  fill(5u << 22, AccessKind::read);
  EXPECT_FALSE(writable_at(*window_, 5u << 22));
  EXPECT_EQ(fill(5u << 22, AccessKind::write), FillResult::mapped);
  EXPECT_TRUE(writable_at(*window_, (5u << 22) + 0x1000));
  EXPECT_EQ(peek_at<u32>(kDirectory + 5 * 4) & kD, kD);
}

TEST_F(UserWindow, Pae) {
  constexpr Gpa kPdpt = 0x20020;
  cpu_.state.cr4 |= kCr4Pae;
  cpu_.state.efer |= kEferNxe;
  poke<u64>(kPdpt + 2 * 8, 0x30000 | kP);
  poke<u64>(Gpa{0x30000}, 0x31000 | kP | kW | kU | kA);
  poke<u64>(0x30000 + 8, 0x600000 | kPs | kUserData);
  for (u32 i = 0; i < 4; ++i)
    poke<u64>(0x31000 + i * 8, (kPages + i * kPageSize) | kUserData | (i >= 2 ? u64{1} << 63 : 0));
  poke<u64>(0x31000 + 4 * 8, (u64{1} << 32) | kUserData);  // above 4 GiB: nothing there
  ASSERT_TRUE(load_pdptes(cpu_, kPdpt));
  cpu_.state.cr3 = kPdpt;
  EXPECT_EQ(fill(0x80000000, AccessKind::read), FillResult::mapped);
  EXPECT_EQ(window_->pages(), 2u) << "NX makes the others unlike";
  EXPECT_EQ(fill(0x80003000, AccessKind::write), FillResult::mapped);
  EXPECT_EQ(read_at(*window_, 0x80003000), u32{kPages} + 0x3000);
  EXPECT_EQ(fill(0x80004000, AccessKind::read), FillResult::slow);
  EXPECT_EQ(fill(0x80200000 + 0x5000, AccessKind::read), FillResult::mapped);
  EXPECT_EQ(window_->pages(), 4u + 512u);
  EXPECT_EQ(read_at(*window_, 0x803ff000), 0x7ff000u);
  poke<u64>(0x31000 + 8, 0);
  window_->resync(cpu_);
  EXPECT_EQ(window_->pages(), 3u + 512u);
  EXPECT_FALSE(read_at(*window_, 0x80001000));
  cpu_.state.pdpte[2] = 0;
  window_->resync(cpu_);
  EXPECT_EQ(window_->pages(), 0u);
}

TEST_F(UserWindow, ResyncDropsProtectsAndKeeps) {
  constexpr u32 kCount = 6;
  for (u32 i = 0; i < kCount; ++i) map(kGva + i * kPageSize, kPages + 2 * i * kPageSize, kUserData);
  for (u32 i = 0; i < kCount; ++i) fill(kGva + i * kPageSize, AccessKind::write);
  const auto page = [](u32 i) { return kGva + i * kPageSize; };
  map(page(0), kPages, kUserData & ~kA);
  map(page(1), kPages + 2 * kPageSize, kUserData & ~kD);
  map(page(2), kPages + 4 * kPageSize, kUserData & ~kW);
  map(page(3), kPages + 0x100000, kUserData);
  map(page(4), kPages + 8 * kPageSize, kUserData | 0x200);  // a bit of software's
  window_->resync(cpu_);
  EXPECT_FALSE(read_at(*window_, page(0)));
  EXPECT_TRUE(read_at(*window_, page(1)));
  EXPECT_FALSE(writable_at(*window_, page(1)));
  EXPECT_TRUE(read_at(*window_, page(2)));
  EXPECT_FALSE(writable_at(*window_, page(2)));
  EXPECT_FALSE(read_at(*window_, page(3)));
  EXPECT_TRUE(writable_at(*window_, page(4)));
  EXPECT_TRUE(writable_at(*window_, page(5)));
  EXPECT_EQ(kernel_vmas(*window_), window_->vmas());
  EXPECT_EQ(fill(page(1), AccessKind::write), FillResult::mapped);
  EXPECT_EQ(entry(page(1)) & kD, kD);
  EXPECT_EQ(fill(page(3), AccessKind::read), FillResult::mapped);
  EXPECT_EQ(read_at(*window_, page(3)), u32{kPages} + 0x100000);
}

TEST_F(UserWindow, ManyChangesDropTheRegionInOneCall) {
  for (u32 i = 0; i < 40; ++i) map(kGva + i * kPageSize, kPages + 2 * i * kPageSize, kUserData);
  for (u32 i = 0; i < 40; ++i) fill(kGva + i * kPageSize, AccessKind::read);
  for (u32 i = 0; i < 40; i += 2) map(kGva + i * kPageSize, 0, 0);
  const u64 calls = window_->counters().unmap_calls;
  window_->resync(cpu_);
  EXPECT_EQ(window_->counters().unmap_calls, calls + 1);
  EXPECT_EQ(window_->pages(), 0u);
}

TEST_F(UserWindow, ForkMakesARunReadOnlyInOneCall) {
  for (u32 i = 0; i < 40; ++i) map(kGva + i * kPageSize, kPages + i * kPageSize, kUserData);
  fill(kGva, AccessKind::read);
  for (u32 i = 0; i < 40; ++i) map(kGva + i * kPageSize, kPages + i * kPageSize, kUserData & ~kW);
  window_->resync(cpu_);
  EXPECT_EQ(window_->counters().protect_calls, 1u);
  EXPECT_EQ(window_->pages(), 40u);
  EXPECT_FALSE(writable_at(*window_, kGva + 39 * kPageSize));
  // The record now holds the entry as it is: a second look finds nothing to do, and A-B-A is seen.
  window_->resync(cpu_);
  EXPECT_EQ(window_->counters().protect_calls, 1u);
}

TEST_F(UserWindow, PageTableExchangedUnderADirectoryEntry) {
  map(kGva, kPages, kUserData);
  fill(kGva, AccessKind::read);
  const Gpa pde_at = kDirectory + (kGva >> 22) * 4;
  poke<u32>(pde_at, 0x50000 | kP | kW | kU | kA);
  poke<u32>(0x50000 + (kGva >> 12 & 1023) * 4, (kPages + kPageSize) | kUserData);
  EXPECT_EQ(read_at(*window_, kGva), u32{kPages}) << "stale until a flush, as in a TLB";
  window_->resync_page(cpu_, kGva);
  EXPECT_FALSE(read_at(*window_, kGva));
  EXPECT_EQ(fill(kGva, AccessKind::read), FillResult::mapped);
  EXPECT_EQ(read_at(*window_, kGva), u32{kPages} + kPageSize);
}

TEST_F(UserWindow, BreakpointsKeepPagesOut) {
  for (u32 i = 0; i < 4; ++i) map(kGva + i * kPageSize, kPages + i * kPageSize, kUserData);
  fill(kGva, AccessKind::read);
  EXPECT_EQ(window_->pages(), 4u);
  cpu_.state.dr[0] = kGva + kPageSize + 8;
  cpu_.state.dr[7] = 0x400 | 1 | (1 << 16) | (3 << 18);  // writes, 4 bytes
  window_->resync(cpu_);
  EXPECT_FALSE(window_->present(kGva + kPageSize));
  EXPECT_TRUE(window_->present(kGva));
  EXPECT_EQ(fill(kGva + kPageSize, AccessKind::read), FillResult::slow);
  window_->unmap(kGva, 0x10000);
  EXPECT_EQ(window_->pages(), 0u);
  EXPECT_EQ(fill(kGva, AccessKind::read), FillResult::mapped);
  EXPECT_EQ(window_->pages(), 1u);
}

TEST_F(UserWindow, PrefillChangesNothingOfTheGuest) {
  map(kGva, kPages, kP | kU | kW);
  window_->prefill(cpu_, kGva, AccessKind::read);
  EXPECT_EQ(window_->pages(), 0u);
  EXPECT_EQ(entry(kGva) & (kA | kD), 0u);
  map(kGva, kPages, kUserData);
  window_->prefill(cpu_, kGva, AccessKind::write);
  EXPECT_TRUE(writable_at(*window_, kGva));
  window_->prefill(cpu_, kGva + 0x400000, AccessKind::read);  // absent: nothing, and no fault
  map(kGva + 0x1000, kPages, kUserPage);
  window_->prefill(cpu_, kGva + 0x1000, AccessKind::write);
  EXPECT_EQ(entry(kGva + 0x1000), u32{kPages} | kUserPage);
}

TEST_F(UserWindow, EvictionAndDropLeaveNothing) {
  for (u32 i = 0; i < 64; ++i) map(i << 22, kPages + i * kPageSize, kUserData);
  for (u32 i = 0; i < 64; ++i) EXPECT_EQ(fill(i << 22, AccessKind::read), FillResult::mapped);
  EXPECT_EQ(kernel_vmas(*window_), window_->vmas());
  window_->evict(10);
  EXPECT_EQ(window_->pages(), 54u);
  EXPECT_EQ(kernel_vmas(*window_), window_->vmas());
  window_->drop_all();
  EXPECT_EQ(kernel_vmas(*window_), u64{WindowRange::kGuardVmas});
  EXPECT_EQ(window_->vmas(), u64{WindowRange::kGuardVmas});
  // Chains of frames were emptied too.
  window_->on_page_changed(kPages);
}

TEST_F(UserWindow, A20Masked) {
  map(kGva, kPages + 0xff000, kUserData);
  map(kGva + 0x1000, kPages + 0x100000, kUserData);
  map(kGva + 0x2000, kPages + 0x101000, kUserData);
  cpu_.state.a20_masked = 1;
  EXPECT_EQ(fill(kGva + 0x1000, AccessKind::read), FillResult::mapped);
  EXPECT_EQ(read_at(*window_, kGva + 0x1000), u32{kPages});
  EXPECT_EQ(read_at(*window_, kGva + 0x2000), u32{kPages} + 0x1000);
  EXPECT_FALSE(window_->present(kGva)) << "no neighbour in memory";
}

}  // namespace
}  // namespace ringshift
