// DecodeCache: what writes drop, and what they leave.
#include "cpu-model/interp/decode_cache.h"

#include <gtest/gtest.h>

#include "memory/guest_memory.h"

namespace ringshift {
namespace {

class DecodeCacheTest : public ::testing::Test {
 protected:
  static constexpr Gpa kPage = 0x3000;

  GuestMemory memory_ = GuestMemory::create(u64{1} << 20).value();
  PhysicalMap phys_{memory_};
  DecodeCache cache_{phys_};

  static DecodedInstruction of_length(u8 length, CodeMode mode = CodeMode::protected32) {
    DecodedInstruction decoded{};
    decoded.insn.length = length;
    decoded.mode = mode;
    return decoded;
  }
  void insert(u32 offset, u8 length) {
    ASSERT_NE(cache_.insert(cache_.page(kPage), offset, of_length(length)), nullptr);
  }
  bool has(u32 offset, CodeMode mode = CodeMode::protected32) {
    return cache_.find(cache_.page(kPage), offset, mode) != nullptr;
  }
  void write(Gpa gpa, u64 length) {
    const std::vector<u8> zeros(length);
    ASSERT_TRUE(phys_.write(gpa, zeros.data(), length));
  }
  bool marked() const { return (phys_.flags(kPage) & kAttrInterpCode) != 0; }
};

TEST_F(DecodeCacheTest, FindsByOffsetAndMode) {
  EXPECT_FALSE(has(0x10));
  insert(0x10, 3);
  EXPECT_TRUE(has(0x10));
  EXPECT_FALSE(has(0x11));
  EXPECT_FALSE(has(0x10, CodeMode::real16));
  EXPECT_TRUE(marked());
}

TEST_F(DecodeCacheTest, WriteDropsExactlyWhatItOverlaps) {
  insert(0x10, 4);
  insert(0x14, 2);
  insert(0x16, 1);
  insert(0x80, 15);
  write(kPage + 0x15, 1);
  EXPECT_TRUE(has(0x10));
  EXPECT_FALSE(has(0x14));
  EXPECT_TRUE(has(0x16));
  write(kPage + 0x8e, 1);
  EXPECT_FALSE(has(0x80));
  write(kPage + 0x13, 4);
  EXPECT_FALSE(has(0x10));
  EXPECT_FALSE(has(0x16));
}

TEST_F(DecodeCacheTest, PageWithoutInstructionsIsPlainAgain) {
  insert(0x10, 4);
  write(kPage + 0x10, 1);
  EXPECT_FALSE(marked());
  EXPECT_FALSE(has(0x10));
}

TEST_F(DecodeCacheTest, WriteAcrossPagesDropsInBoth) {
  insert(0xffe, 2);
  write(kPage + 0xfff, 2);
  EXPECT_FALSE(has(0xffe));
}

TEST_F(DecodeCacheTest, DataPageLosesItsDecodes) {
  insert(0x10, 4);
  cache_.page(kPage + 0x1000);  // execution is elsewhere
  for (unsigned i = 0; i < 300; ++i) write(kPage + 0x800, 4);
  EXPECT_FALSE(marked());
}

TEST_F(DecodeCacheTest, UnmappedPageLosesItsDecodes) {
  insert(0x10, 4);
  phys_.set_kind(kPage, 1, PageKind::unmapped);
  phys_.set_kind(kPage, 1, PageKind::ram);
  EXPECT_FALSE(has(0x10));
}

TEST_F(DecodeCacheTest, InstructionThatIsOverwrittenStaysReadable) {
  const DecodedInstruction* running = cache_.insert(cache_.page(kPage), 0x10, of_length(7));
  write(kPage + 0x10, 7);
  EXPECT_EQ(running->insn.length, 7);
}

TEST_F(DecodeCacheTest, FullArenaAsksForAReset) {
  const DecodedInstruction* kept = nullptr;
  u64 inserted = 0;
  // Each insert after a write takes a new place.
  do {
    kept = cache_.insert(cache_.page(kPage), 0, of_length(1));
    ASSERT_LT(++inserted, u64{1} << 21);
    if (kept != nullptr) cache_.on_write(kPage, 1);
  } while (kept != nullptr);
  cache_.reset();
  insert(0, 1);
  EXPECT_TRUE(has(0));
}

}  // namespace
}  // namespace ringshift
