// CodeCache and BlockTable: places, links, what writes drop.
#include "translator/block_table.h"

#include <gtest/gtest.h>

#include <cstring>

namespace ringshift::bt {
namespace {

TEST(CodeCacheTest, AppendsAlignedAndPatchesWhatRuns) {
  CodeCache cache = CodeCache::create(1u << 16).value();
  const u8 code[] = {0xb8, 1, 0, 0, 0, 0xc3};  // MOV EAX, 1; RET
  EXPECT_EQ(cache.free_bytes(), 1u << 16);
  const u8* const at = cache.append(code);
  EXPECT_EQ(cache.used_bytes(), 16u);
  EXPECT_EQ(cache.next(), at + 16);
  EXPECT_TRUE(cache.contains(at));
  EXPECT_FALSE(cache.contains(cache.next()));
  EXPECT_EQ(std::memcmp(at, code, sizeof code), 0);
  const auto function = reinterpret_cast<u32 (*)()>(const_cast<u8*>(at));
  EXPECT_EQ(function(), 1u);
  cache.patch32(at + 1, 77);
  EXPECT_EQ(function(), 77u);
  EXPECT_EQ(cache.append(code), at + 16);
}

TEST(CodeCacheTest, TheRingBeginsBehindWhatIsKept) {
  CodeCache cache = CodeCache::create(4096).value();
  const std::vector<u8> code(32, 0x90);
  const u8* const stubs = cache.append(code);
  cache.keep();
  EXPECT_EQ(cache.ring_bytes(), 4096u - 48) << "blocks begin 16 bytes short of a multiple of 32";
  const u8* const first = cache.append(code);
  const u8* const second = cache.append(code);
  cache.rewind();
  cache.set_limit(second);
  EXPECT_EQ(cache.free_bytes(), 32u);
  EXPECT_EQ(cache.append(code), first);
  EXPECT_EQ(cache.free_bytes(), 0u);
  EXPECT_EQ(cache.used_bytes(), 48u + 64);
  EXPECT_TRUE(cache.contains(stubs));
  EXPECT_TRUE(cache.contains(second + 31));
  cache.set_limit(nullptr);
  EXPECT_EQ(cache.next(), second);
  EXPECT_EQ(cache.free_bytes(), 4096u - 48 - 32);
}

TEST(CodeCacheTest, FillsToTheLastByte) {
  CodeCache cache = CodeCache::create(4096).value();
  const std::vector<u8> code(4095, 0x90);
  cache.append(code);
  EXPECT_EQ(cache.free_bytes(), 0u);
}

class BlockTableTest : public ::testing::Test {
 protected:
  static constexpr Gpa kPage = 0x5000, kNextPage = 0x9000;

  // `bytes` of guest code at eip; its host code is 32 bytes, links at 1 and 6, exit stubs at 16 and 24.
  TranslationBlock* add(u32 eip, u16 bytes, Gpa second = kNoPage) {
    auto block = std::make_unique<TranslationBlock>();
    block->make_links(2);
    block->eip = eip;
    block->linear = eip;
    block->pages[0] = kPage;
    block->pages[1] = second;
    block->first_byte = static_cast<u16>(eip & kPageOffsetMask);
    block->guest_bytes = bytes;
    const std::vector<u8> code(32, 0x90);
    block->code = block->polled_entry = cache_.append(code);
    block->entry = block->polled_entry + 8;
    block->landing = block->entry;
    block->host_bytes = 32;
    for (unsigned i = 0; i < 2; ++i) {
      block->links[i].source = block.get();
      block->links[i].patch_offset = static_cast<u16>(1 + 5 * i);
      block->links[i].exit_offset = static_cast<u16>(16 + 8 * i);
    }
    return table_.insert(std::move(block));
  }
  static const u8* target_of(const Link& link) {
    i32 displacement;
    std::memcpy(&displacement, link.patch(), 4);
    return link.patch() + 4 + displacement;
  }

  GuestMemory memory_ = GuestMemory::create(u64{1} << 20).value();
  PhysicalMap physical_{memory_};
  CodeCache cache_ = CodeCache::create(1u << 16).value();
  std::vector<JumpEntry> jumps_ = std::vector<JumpEntry>(kJumpEntries);
  BlockTable table_{physical_, cache_, jumps_.data()};
};

TEST_F(BlockTableTest, FindsByPlaceAndMode) {
  TranslationBlock* const block = add(0x401000, 10);
  EXPECT_EQ(table_.find(0x401000, kPage, {}), block);
  EXPECT_EQ(table_.find(0x401000, kNextPage, {}), nullptr);
  EXPECT_EQ(table_.find(0x401001, kPage + 1, {}), nullptr);
  EXPECT_EQ(table_.find(0x401000, kPage + 0x10, {}), nullptr) << "at another offset, by CS's base";
  EXPECT_EQ(table_.find(0x401000, kPage, ModeKey().with_window()), nullptr);
  EXPECT_TRUE(table_.has_local_code_at(0x401fff));
  EXPECT_FALSE(table_.has_local_code_at(0x402000));
  EXPECT_NE(physical_.flags(kPage) & kAttrBtCode, 0);
}

TEST_F(BlockTableTest, FindsByHostAddress) {
  TranslationBlock* const first = add(0x1000, 4);
  TranslationBlock* const second = add(0x1010, 4);
  EXPECT_EQ(table_.containing(first->polled_entry), first);
  EXPECT_EQ(table_.containing(first->polled_entry + 31), first);
  EXPECT_EQ(table_.containing(second->polled_entry), second);
  EXPECT_EQ(table_.containing(second->polled_entry + 32), nullptr);
  EXPECT_EQ(table_.containing(first->polled_entry - 1), nullptr);
}

TEST_F(BlockTableTest, LinksEnterBehindThePollUnlessBackward) {
  TranslationBlock* const from = add(0x1000, 4);
  TranslationBlock* const to = add(0x1010, 4);
  from->links[1].backward = true;
  table_.link(from->links[0], *to);
  table_.link(from->links[1], *to);
  EXPECT_EQ(target_of(from->links[0]), to->entry);
  EXPECT_EQ(target_of(from->links[1]), to->polled_entry);
  table_.unlink(from->links[0], UnlinkReason::mapping_changed);
  EXPECT_EQ(target_of(from->links[0]), from->links[0].exit_stub());
  EXPECT_EQ(to->incoming, &from->links[1]);
  EXPECT_EQ(table_.counters().links, 2u);
  EXPECT_EQ(table_.counters().links_cut, 1u);
}

TEST_F(BlockTableTest, AWriteDropsWhatItOverlaps) {
  TranslationBlock* const from = add(0x1000, 4);
  TranslationBlock* const hit = add(0x1010, 4);
  table_.link(from->links[0], *hit);
  table_.link(hit->links[0], *from);
  table_.link(hit->links[1], *hit);
  jumps_[0x1010] = {1, hit->entry};
  const u64 epoch = table_.epoch();
  table_.invalidate(kPage + 0x14, 4, DropReason::code_written);
  table_.invalidate(kPage + 0xc, 4, DropReason::code_written);
  EXPECT_TRUE(hit->valid);
  EXPECT_EQ(table_.epoch(), epoch);
  table_.invalidate(kPage + 0xd, 4, DropReason::code_written);
  EXPECT_FALSE(hit->valid);
  EXPECT_TRUE(from->valid);
  EXPECT_NE(table_.epoch(), epoch);
  EXPECT_EQ(table_.find(0x1010, kPage + 0x10, {}), nullptr);
  EXPECT_EQ(target_of(from->links[0]), from->links[0].exit_stub());
  EXPECT_EQ(from->incoming, nullptr);
  EXPECT_EQ(jumps_[0x1010].target, nullptr);
  EXPECT_NE(physical_.flags(kPage) & kAttrBtCode, 0);
  table_.invalidate(kPage, 1, DropReason::code_written);
  EXPECT_EQ(physical_.flags(kPage) & kAttrBtCode, 0);
}

TEST_F(BlockTableTest, AStraddlingBlockDependsOnBothPages) {
  TranslationBlock* const block = add(0x1ffe, 5, kNextPage);
  table_.invalidate(kNextPage + 3, 1, DropReason::code_written);
  EXPECT_TRUE(block->valid);
  table_.invalidate(kNextPage + 2, 1, DropReason::code_written);
  EXPECT_FALSE(block->valid);
  EXPECT_EQ(physical_.flags(kPage) & kAttrBtCode, 0);
  EXPECT_EQ(physical_.flags(kNextPage) & kAttrBtCode, 0);
}

TEST_F(BlockTableTest, CutsLinksBetweenPagesOnly) {
  TranslationBlock* const from = add(0x1000, 4);
  TranslationBlock* const near = add(0x1010, 4);
  TranslationBlock* const far = add(0x1ffe, 4, kNextPage);
  table_.link(from->links[0], *near);
  table_.link(from->links[1], *far);
  table_.cut_cross_page_links();
  EXPECT_EQ(target_of(from->links[0]), near->entry);
  EXPECT_EQ(target_of(from->links[1]), from->links[1].exit_stub());
}

TEST_F(BlockTableTest, ClearForgetsEverything) {
  add(0x1000, 4);
  jumps_[0x1000].negated_tag = 5;
  table_.clear();
  EXPECT_EQ(table_.size(), 0u);
  EXPECT_EQ(table_.find(0x1000, kPage, {}), nullptr);
  EXPECT_FALSE(table_.has_local_code_at(0x1000));
  EXPECT_EQ(jumps_[0x1000].negated_tag, 0u);
  EXPECT_EQ(physical_.flags(kPage) & kAttrBtCode, 0);
}

}  // namespace
}  // namespace ringshift::bt
