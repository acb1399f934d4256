// Blocks dropped by writes: kept by their bytes, within bounds; pages that are patched, and pages that are
// not.
#include "translator/kept_blocks.h"

#include <gtest/gtest.h>

#include "translator/block_table.h"

namespace ringshift::bt {
namespace {

class KeptBlocksTest : public ::testing::Test {
 protected:
  static constexpr Gpa kPage = 0x5000;
  static constexpr u32 kBytes = 6;

  // A block of the bytes that stand at kPage + offset.
  TranslationBlock* add(u32 offset, std::vector<LiveOperand> live = {}, bool source = true) {
    auto block = std::make_unique<TranslationBlock>();
    block->eip = block->linear = static_cast<u32>(kPage) + offset;
    block->pages[0] = kPage;
    block->first_byte = static_cast<u16>(offset);
    block->guest_bytes = kBytes;
    block->code = block->polled_entry = cache_.append(std::vector<u8>(32, 0x90));
    block->entry = block->landing = block->polled_entry + 8;
    block->host_bytes = 32;
    if (source) {
      block->source = std::make_unique<BlockSource>();
      block->source->bytes.assign(ram(offset), ram(offset) + kBytes);
      block->source->live = std::move(live);
    }
    return table_.insert(std::move(block));
  }
  u8* ram(u32 offset) { return memory_.base() + kPage + offset; }
  void write(u32 offset, u8 value) {
    *ram(offset) = value;
    table_.invalidate(kPage + offset, 1, DropReason::code_written);
  }
  TranslationBlock* revive(u32 offset, bool global = false) {
    const u32 eip = static_cast<u32>(kPage) + offset;
    return table_.revive(eip, eip, kPage + offset, {}, global);
  }
  bool is_code() const { return (physical_.flags(kPage) & kAttrBtCode) != 0; }

  GuestMemory memory_ = GuestMemory::create(u64{4} << 20).value();
  PhysicalMap physical_{memory_};
  CodeCache cache_ = CodeCache::create(1u << 16).value();
  std::vector<JumpEntry> jumps_ = std::vector<JumpEntry>(kJumpEntries);
  BlockTable table_{physical_, cache_, jumps_.data()};
};

TEST_F(KeptBlocksTest, ABlockComesBackWithItsBytes) {
  TranslationBlock* const block = add(0x10);
  EXPECT_EQ(revive(0x10), nullptr) << "it isn't gone";
  write(0x12, 7);
  EXPECT_FALSE(block->valid);
  EXPECT_EQ(revive(0x10), nullptr) << "other bytes";
  write(0x12, 0);
  EXPECT_EQ(revive(0x10, true), nullptr) << "in a global page its links would be others";
  EXPECT_EQ(revive(0x11), nullptr);
  EXPECT_EQ(revive(0x10), block);
  EXPECT_TRUE(block->valid);
  EXPECT_EQ(table_.find(block->eip, kPage + 0x10, {}), block);
  EXPECT_TRUE(is_code());
  EXPECT_EQ(revive(0x10), nullptr) << "once";
  write(0x15, 9);
  EXPECT_FALSE(block->valid) << "it is watched as before";
}

TEST_F(KeptBlocksTest, WithoutItsSourceItIsGone) {
  add(0x10, {}, false);
  write(0x12, 7);
  write(0x12, 0);
  EXPECT_EQ(revive(0x10), nullptr);
}

TEST_F(KeptBlocksTest, WhatIsDroppedToBeTranslatedOtherwiseStaysAway) {
  add(0x10);
  table_.invalidate(kPage + 0x10, 1, DropReason::retranslation);
  EXPECT_EQ(revive(0x10), nullptr);
}

TEST_F(KeptBlocksTest, LiveOperandsDropNothingAndCompareAsEqual) {
  TranslationBlock* const block = add(0x10, {{1, 2}});
  write(0x11, 5);
  write(0x12, 6);
  EXPECT_TRUE(block->valid);
  write(0x13, 1);
  EXPECT_FALSE(block->valid);
  write(0x11, 77);
  write(0x13, 0);
  EXPECT_EQ(revive(0x10), block);
}

TEST_F(KeptBlocksTest, AWriteOverLiveAndOtherBytesDrops) {
  TranslationBlock* const block = add(0x10, {{1, 2}});
  table_.invalidate(kPage + 0x11, 2, DropReason::code_written);
  EXPECT_TRUE(block->valid);
  table_.invalidate(kPage + 0x12, 2, DropReason::code_written);
  EXPECT_FALSE(block->valid);
}

TEST_F(KeptBlocksTest, TheGuardKnowsWhatBlocksDependOn) {
  CodeWrites& writes = table_.writes();
  add(0x3d, {{1, 2}});  // across a word of the bitmap
  EXPECT_FALSE(writes.lets(kPage + 0x200, 4)) << "not written to yet";
  table_.invalidate(kPage + 0x200, 4, DropReason::code_written);
  EXPECT_TRUE(writes.lets(kPage + 0x200, 4));
  EXPECT_TRUE(writes.lets(kPage + 0x39, 4));
  EXPECT_FALSE(writes.lets(kPage + 0x3a, 4));
  EXPECT_TRUE(writes.lets(kPage + 0x3e, 2)) << "live";
  EXPECT_FALSE(writes.lets(kPage + 0x3e, 4));
  EXPECT_FALSE(writes.lets(kPage + 0x42, 16));
  EXPECT_TRUE(writes.lets(kPage + 0x43, 16));
  add(0x100);  // it starts in the page's guard, too
  EXPECT_FALSE(writes.lets(kPage + 0x105, 1));
  EXPECT_TRUE(writes.lets(kPage + 0x106, 1));
  EXPECT_FALSE(writes.lets(kPage + 0x1000 + 0x200, 4)) << "another page";
}

TEST_F(KeptBlocksTest, APageThatIsWrittenBesideItsCodeGivesItsBlocksUp) {
  TranslationBlock* const block = add(0x10);
  unsigned stores = 0;
  while (is_code() && stores < 100000) {
    if (!table_.writes().lets(kPage + 0x800, 4))
      table_.invalidate(kPage + 0x800, 4, DropReason::code_written);
    ++stores;
  }
  EXPECT_GT(stores, 1000u);
  EXPECT_LT(stores, 10000u);
  EXPECT_FALSE(block->valid);
  EXPECT_EQ(revive(0x10), block) << "what is executed all the same comes back";
  EXPECT_TRUE(is_code());
}

TEST_F(KeptBlocksTest, APageThatIsPatchedKeepsItsAttributeForAWhile) {
  add(0x10);
  write(0x10, 1);
  EXPECT_FALSE(is_code()) << "the first time it may be anything";
  for (u8 version = 2; version < 6; ++version) {
    add(0x10);
    write(0x10, version);
  }
  EXPECT_TRUE(is_code());
  for (int i = 0; i < 200; ++i)
    if (!table_.writes().lets(kPage + 0x10, 4)) table_.invalidate(kPage + 0x10, 4, DropReason::code_written);
  EXPECT_FALSE(is_code()) << "it is data now";
}

TEST_F(KeptBlocksTest, AnotherPageInItsSlotEndsIt) {
  for (u8 version = 1; version < 6; ++version) {
    add(0x10);
    write(0x10, version);
  }
  EXPECT_TRUE(is_code());
  constexpr Gpa kSameSlot = kPage + 256 * kPageSize;
  auto block = std::make_unique<TranslationBlock>();
  block->pages[0] = kSameSlot;
  block->guest_bytes = 1;
  block->code = block->entry = block->polled_entry = block->landing =
      cache_.append(std::vector<u8>(32, 0x90));
  block->host_bytes = 32;
  table_.insert(std::move(block));
  table_.invalidate(kSameSlot + 8, 1, DropReason::code_written);
  EXPECT_FALSE(is_code());
  EXPECT_FALSE(table_.writes().has(kPage));
}

TEST_F(KeptBlocksTest, EverNewCodeKeepsTheNewestOnly) {
  constexpr u8 kVersions = 100;
  for (u8 version = 1; version <= kVersions; ++version) {
    add(0x10);
    write(0x10, version);
  }
  unsigned kept = 0;
  for (u8 version = 0; version < kVersions; ++version) {
    *ram(0x10) = version;
    kept += revive(0x10) != nullptr ? 1 : 0;
  }
  EXPECT_EQ(kept, 16u);
  EXPECT_EQ(table_.counters().revived, 16u);
}

TEST_F(KeptBlocksTest, KeptBlocksAreEvictedAndCleared) {
  add(0x10);
  write(0x12, 7);
  for (u32 offset = 0x20; table_.counters().evictions < 40; offset = 0x20 + (offset + 8) % 0x800) {
    if (!table_.has_room(64)) table_.make_room(64);
    add(offset);
  }
  *ram(0x12) = 0;
  EXPECT_EQ(revive(0x10), nullptr);
  add(0x10);
  write(0x12, 7);
  table_.clear();
  *ram(0x12) = 0;
  EXPECT_EQ(revive(0x10), nullptr);
  EXPECT_FALSE(is_code());
  EXPECT_FALSE(table_.writes().has(kPage));
}

}  // namespace
}  // namespace ringshift::bt
