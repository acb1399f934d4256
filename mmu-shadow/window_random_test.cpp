// Random guests: edits of page tables, flushes, attributes and accesses, against a model of what a TLB may
// know.
//
// The model keeps, for each page, every entry that stood there since the last flush of it; what a window
// shows must be a translation that one of these, with A and, for writing, D set, gives. Right after a flush
// only the present tables count, and walk() is the judge.
#include <random>
#include <set>

#include "mmu-shadow/window_fixture.h"

namespace ringshift {
namespace {

constexpr u32 kDirectories = 3;
constexpr u32 kSlots = 48;  // linear pages in play
constexpr u32 kFrames = 64;

class RandomWindows : public SetFixture {
 protected:
  explicit RandomWindows() { enable_paging(); }

  // The pages lie around the ends of two page tables, so that regions, runs and tables all have edges.
  static Gva gva_of(u32 slot) {
    constexpr Gva kBase[] = {0x003f8000, 0x005f8000, 0xc0000000};
    return kBase[slot / 16] + slot % 16 * kPageSize;
  }
  static Gpa directory_of(u32 n) { return 0x30000 + n * kPageSize; }
  Gpa entry_of(u32 directory, u32 slot) {
    const Gva gva = gva_of(slot);
    return (peek_at<u32>(directory_of(directory) + (gva >> 22) * 4) & ~kPageOffsetMask) +
           (gva >> 12 & 1023) * 4;
  }
  u32 pick(u32 n) { return static_cast<u32>(random_() % n); }

  void lay_out(u32 seed) {
    random_.seed(seed);
    space_ = 0;
    // The kernel's table is shared by all address spaces, the others are each one's own.
    for (u32 d = 0; d < kDirectories; ++d) {
      for (u32 t = 0; t < 2; ++t)
        poke<u32>(directory_of(d) + t * 4,
                  static_cast<u32>(kTables + (d * 2 + t) * kPageSize) | kP | kW | kU | kA);
      poke<u32>(directory_of(d) + 768 * 4, static_cast<u32>(kTables + 0x10000) | kP | kW | kA);
    }
    load_cr3(directory_of(0));
    for (u32 i = 0; i < 400; ++i) edit();
    load_cr3(directory_of(0));
    cpu_.flush_all();
    forget(~0u);
  }

  // --- the model
  void remember(u32 slot) { history_[space_][slot].insert(peek_at<u32>(entry_of(space_, slot))); }
  void forget_slot(u32 slot) {
    history_[space_][slot].clear();
    remember(slot);
  }
  // Non-global pages of all address spaces; or of everything.
  void forget(u32 everything) {
    const u32 now = space_;
    for (space_ = 0; space_ < kDirectories; ++space_)
      for (u32 slot = 0; slot < kSlots; ++slot)
        if (slot < 32 || everything != 0) forget_slot(slot);
    space_ = now;
  }

  // --- the guest's doings
  void edit() {
    const u32 slot = pick(kSlots);
    u32 value = 0;
    if (pick(6) != 0) {
      value = static_cast<u32>(kPages + (pick(3) != 0 ? slot : pick(kFrames)) * kPageSize) | kP;
      value |= slot < 32 ? kU : kG;
      if (pick(4) != 0) value |= kW;
      if (pick(3) != 0) value |= kA;
      if (pick(3) != 0) value |= kA | kD;
    }
    if (pick(4) == 0) value = peek_at<u32>(entry_of(space_, slot)) & ~(pick(2) != 0 ? kD : kA);
    poke<u32>(entry_of(space_, slot), value);
    remember_all(slot);
  }
  // Tables of the kernel are seen in every address space.
  void remember_all(u32 slot) {
    if (slot < 32) return remember(slot);
    const u32 now = space_;
    for (space_ = 0; space_ < kDirectories; ++space_) remember(slot);
    space_ = now;
  }
  void flush() {
    switch (pick(8)) {
      case 0:
        cpu_.flush_all();
        forget(1);
        break;
      case 1:
      case 2:
      case 3:
        space_ = pick(kDirectories);
        load_cr3(directory_of(space_));
        forget(0);
        break;
      default: {
        const u32 slot = pick(kSlots);
        cpu_.flush_page(gva_of(slot) + pick(kPageSize));
        if (slot < 32) {
          forget_slot(slot);
        } else {
          const u32 now = space_;
          for (space_ = 0; space_ < kDirectories; ++space_) forget_slot(slot);
          space_ = now;
        }
      }
    }
  }
  void attribute() {
    const Gpa page = kPages + pick(kFrames) * kPageSize;
    if (pick(4) == 0)
      phys_.set_kind(page, 1, static_cast<PageKind>(pick(3)));
    else if (pick(2) != 0)
      phys_.add_attribute(page, pick(6) == 0 ? kAttrWatch : kAttrBtCode);
    else
      phys_.remove_attribute(page, kAttrWatch | kAttrBtCode);
  }
  void access() {
    const u32 slot = pick(kSlots);
    const auto kind = pick(2) != 0 ? AccessKind::write : AccessKind::read;
    const Gva gva = gva_of(slot) + pick(kPageSize);
    const u32 before = peek_at<u32>(entry_of(space_, slot));
    const Outcome<FillResult> filled = set_.fill(gva, kind);
    remember_all(slot);
    const auto walked = walk(cpu_, gva, kind, cpu_.user());
    ASSERT_EQ(filled.has_value(), walked.has_value());
    if (!filled) {
      EXPECT_EQ(filled.error(), walked.error());
      EXPECT_EQ(peek_at<u32>(entry_of(space_, slot)), before);
      return;
    }
    ASSERT_NE(*filled, FillResult::no_room);
    if (*filled != FillResult::mapped) return;
    const ShadowWindow& window = *set_.current();
    EXPECT_TRUE(window.present(gva));
    EXPECT_TRUE(kind == AccessKind::read || window.writable(gva));
  }

  // --- what must hold
  void check() {
    ShadowWindow& window = *set_.enter();
    const bool user = cpu_.user();
    for (u32 slot = 0; slot < kSlots; ++slot) {
      const Gva gva = gva_of(slot);
      const auto seen = read_at(window, gva);
      ASSERT_EQ(seen.has_value(), window.present(gva));
      if (!seen) continue;
      ASSERT_EQ(user, slot < 32) << "a page of the other privilege";
      const bool writable = writable_at(window, gva);
      ASSERT_EQ(writable, window.writable(gva));
      const PageFlags flags = phys_.flags(*seen);
      ASSERT_NE(flags & kPageKindMask, 0) << "not RAM";
      ASSERT_EQ(flags & kAttrWatch, 0);
      const bool plain_write = (flags & kWriteAttributes) == 0 && (flags & kPageKindMask) == 1;
      ASSERT_TRUE(plain_write || !writable);
      const u32 needs = kP | kA | (writable ? kW | kD : 0);
      bool founded = false;
      for (const u32 value : history_[space_][slot])
        founded |= (value & ~kPageOffsetMask) == *seen && (value & needs) == needs;
      // A global page may be another address space's of before; the table is the same, and so its history.
      ASSERT_TRUE(founded) << "slot " << slot << " shows " << std::hex << *seen;
    }
    ASSERT_EQ(kernel_vmas(window), window.vmas());
  }

  std::mt19937 random_;
  u32 space_ = 0;
  std::set<u32> history_[kDirectories][kSlots];
};

TEST_F(RandomWindows, NeverMoreStaleThanATlb) {
  for (u32 seed = 1; seed <= 8; ++seed) {
    lay_out(seed);
    for (u32 step = 0; step < 2500; ++step) {
      const u32 what = pick(16);
      set_cpl(pick(2) != 0 ? 3 : 0);
      set_.enter();
      if (what < 9)
        access();
      else if (what < 13)
        edit();
      else if (what < 15)
        flush();
      else
        attribute();
      if (step % 4 == 0) check();
      if (HasFatalFailure() || HasNonfatalFailure()) {
        FAIL() << "seed " << seed << ", step " << step;
      }
    }
    for (u32 i = 0; i < kFrames; ++i) {
      phys_.set_kind(kPages + i * kPageSize, 1, PageKind::ram);
      phys_.remove_attribute(kPages + i * kPageSize, kAttrWatch | kAttrBtCode);
    }
  }
  const auto sum = set_.window_counters();
  std::printf("fills %llu, pages %llu, resyncs %llu, unmaps %llu, protects %llu, upgrades %llu\n",
              static_cast<unsigned long long>(sum.fills), static_cast<unsigned long long>(sum.pages_mapped),
              static_cast<unsigned long long>(sum.resyncs), static_cast<unsigned long long>(sum.unmap_calls),
              static_cast<unsigned long long>(sum.protect_calls),
              static_cast<unsigned long long>(sum.upgrades));
}

}  // namespace
}  // namespace ringshift
