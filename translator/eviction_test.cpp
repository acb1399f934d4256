// A full code cache: the oldest blocks go, and nothing leads to them any more.
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "translator/block_table.h"
#include "translator/bt_fixture.h"

namespace ringshift::bt {
namespace {

using namespace asmjit::x86;  // NOLINT: register names

// Blocks of 1 KiB of host code, in a ring of some sixty.
class EvictionTest : public ::testing::Test {
 protected:
  static constexpr u64 kBlockBytes = 1024, kCacheBytes = 64 * 1024, kStubBytes = 512;

  EvictionTest() {
    cache_.append(std::vector<u8>(kStubBytes, 0xcc));
    cache_.keep();
  }
  TranslationBlock* add(u32 eip, unsigned sites = 0) {
    if (!table_.has_room(kBlockBytes)) table_.make_room(kBlockBytes);
    auto block = std::make_unique<TranslationBlock>();
    block->make_links(2);
    block->eip = eip;
    block->linear = eip;
    block->pages[0] = align_down(Gpa{eip}, Gpa{kPageSize});
    block->first_byte = static_cast<u16>(eip & kPageOffsetMask);
    block->guest_bytes = 8;
    block->code = block->polled_entry = cache_.append(std::vector<u8>(kBlockBytes, 0x90));
    block->entry = block->polled_entry + 8;
    block->landing = block->entry;
    block->host_bytes = kBlockBytes;
    for (unsigned i = 0; i < 2; ++i) {
      block->links[i].source = block.get();
      block->links[i].patch_offset = static_cast<u16>(1 + 5 * i);
      block->links[i].exit_offset = static_cast<u16>(16 + 8 * i);
    }
    for (; block->site_count < sites; ++block->site_count) block->sites.emplace_front();
    return table_.insert(std::move(block));
  }
  static const u8* target_of(const Link& link) {
    i32 displacement;
    std::memcpy(&displacement, link.patch(), 4);
    return link.patch() + 4 + displacement;
  }
  // The block's code is all NOPs.
  static bool never_linked(const Link& link) {
    u32 bytes;
    std::memcpy(&bytes, link.patch(), 4);
    return bytes == 0x90909090;
  }
  bool found(u32 eip) const { return table_.find(eip, eip, {}) != nullptr; }

  GuestMemory memory_ = GuestMemory::create(u64{4} << 20).value();
  PhysicalMap physical_{memory_};
  CodeCache cache_ = CodeCache::create(kCacheBytes).value();
  std::vector<JumpEntry> jumps_ = std::vector<JumpEntry>(kJumpEntries);
  BlockTable table_{physical_, cache_, jumps_.data()};
};

TEST_F(EvictionTest, TheOldestGoAndAllThatNamesThemWithThem) {
  TranslationBlock* const oldest = add(0x1000);
  jumps_[0x1000] = {1, oldest->entry};
  const u8* const place = oldest->polled_entry;
  u32 eip = 0x2000;
  u64 epoch = table_.epoch();
  TranslationBlock* newest = nullptr;
  while (table_.counters().evictions == 0) {
    ASSERT_EQ(table_.epoch(), epoch);
    newest = add(eip);
    eip += kPageSize;
  }
  EXPECT_NE(table_.epoch(), epoch);
  EXPECT_EQ(newest->polled_entry, place) << "the ring begins anew behind the stubs";
  EXPECT_FALSE(found(0x1000));
  EXPECT_TRUE(found(eip - kPageSize));
  EXPECT_TRUE(found(eip - 2 * kPageSize)) << "not all of them";
  EXPECT_EQ(jumps_[0x1000].target, nullptr);
  EXPECT_EQ(physical_.flags(0x1000) & kAttrBtCode, 0);
  EXPECT_NE(physical_.flags(eip - 2 * kPageSize) & kAttrBtCode, 0);
  EXPECT_GE(table_.counters().evicted, 2u) << "a batch";
}

TEST_F(EvictionTest, LinksIntoWhatGoesAreCutAndThoseOutOfItForgotten) {
  TranslationBlock* const oldest = add(0x1000);
  TranslationBlock* const second = add(0x2000);
  u32 eip = 0x3000;
  TranslationBlock* last = nullptr;
  while (cache_.free_bytes() >= kBlockBytes) last = add(eip += kPageSize);
  table_.link(last->links[0], *oldest);
  table_.link(last->links[1], *second);
  table_.link(oldest->links[0], *last);
  table_.link(oldest->links[1], *oldest);
  table_.link(second->links[0], *oldest);
  add(eip += kPageSize);
  ASSERT_FALSE(found(0x1000));
  ASSERT_FALSE(found(0x2000));
  EXPECT_TRUE(last->valid);
  for (Link& link : last->links) {
    EXPECT_EQ(link.target, nullptr);
    EXPECT_EQ(target_of(link), link.exit_stub());
  }
  EXPECT_EQ(last->incoming, nullptr);
  table_.cut_cross_page_links();  // none of the evicted is listed
}

TEST_F(EvictionTest, ContainingKnowsTheTurnOfTheRing) {
  std::map<u32, TranslationBlock*> alive;
  u32 eip = 0x1000;
  for (unsigned i = 0; i < 500; ++i) {
    eip = (eip + kPageSize + 8) % (u32{3} << 20);
    alive[eip] = add(eip);
    std::erase_if(alive, [&](const auto& entry) { return !found(entry.first); });
    ASSERT_EQ(table_.size(), alive.size());
    for (const auto& [at, block] : alive) {
      ASSERT_EQ(table_.containing(block->polled_entry), block);
      ASSERT_EQ(table_.containing(block->polled_entry + kBlockBytes - 1), block);
    }
  }
  EXPECT_GE(table_.counters().laps, 6u);
}

// Random links, writes and new blocks; then every link must lead to a block that is found, or to its own
// stub.
TEST_F(EvictionTest, LinksStayTrueUnderManyEvictions) {
  std::mt19937 random(7);
  std::vector<u32> eips;
  std::map<u32, TranslationBlock*> alive;
  for (unsigned round = 0; round < 4000; ++round) {
    const u32 eip = 0x1000 + 16 * (random() % 8192);
    if (alive.contains(eip)) continue;
    alive[eip] = add(eip);
    std::erase_if(alive, [&](const auto& entry) { return !found(entry.first); });
    std::vector<TranslationBlock*> list;
    for (const auto& entry : alive) list.push_back(entry.second);
    for (unsigned i = 0; i < 4; ++i)
      table_.link(list[random() % list.size()]->links[random() % 2], *list[random() % list.size()]);
    if (random() % 8 == 0) table_.invalidate(list[random() % list.size()]->eip, 4, DropReason::code_written);
    if (random() % 64 == 0) table_.cut_cross_page_links();
    std::erase_if(alive, [&](const auto& entry) { return !entry.second->valid; });
    for (const auto& [at, block] : alive) {
      for (Link& link : block->links) {
        if (link.target == nullptr) {
          ASSERT_TRUE(target_of(link) == link.exit_stub() || never_linked(link));
        } else {
          ASSERT_TRUE(found(link.target->eip));
          ASSERT_EQ(target_of(link), link.target->entry);
        }
      }
      unsigned incoming = 0;
      for (Link* link = block->incoming; link != nullptr; link = link->next(), ++incoming)
        ASSERT_EQ(link->target, block);
    }
  }
  EXPECT_GE(table_.counters().evictions, 100u);
}

TEST_F(EvictionTest, LinearPagesOfEvictedBlocksAreForgottenInTheEnd) {
  add(0x1000);
  EXPECT_TRUE(table_.has_local_code_at(0x1000));
  u32 eip = 0x10000;
  while (table_.counters().laps < 2) {
    add(eip);
    EXPECT_TRUE(table_.has_local_code_at(eip));
    eip += 8;
  }
  EXPECT_FALSE(table_.has_local_code_at(0x1000));
}

// A guest of nothing but interpreted instructions: what stands beside the code is bounded too.
TEST_F(EvictionTest, SideTablesAreBounded) {
  u64 most = 0;
  for (u32 i = 0; i < 400; ++i) {
    add(0x1000 + 16 * i, 64);
    most = std::max(most, table_.side_bytes());
  }
  EXPECT_GE(most, kCacheBytes);
  EXPECT_LE(most, 4 * kCacheBytes);
  EXPECT_LT(table_.size(), kCacheBytes / kBlockBytes);
  table_.clear();
  EXPECT_EQ(table_.side_bytes(), 0u);
}

// --- guests

class EvictingGuest : public BtFixture, public ::testing::WithParamInterface<BtWay> {
 protected:
  static constexpr u64 kSmallest = 128 * 1024;
  static constexpr u32 kBodies = 0x100000, kBodySpan = 64, kCount = 0x200000;
  EvictingGuest() { use(GetParam(), kSmallest); }
};
INSTANTIATE_TEST_SUITE_P(Bt, EvictingGuest,
                         ::testing::Values(BtWay{BtOptions::Memory::soft}, BtWay{BtOptions::Memory::window}),
                         way_name);

// A thousand functions called through a table by a loop that itself comes round: calls, returns and links to
// blocks that went meanwhile, an interpreted instruction in each, and one that is rewritten.
TEST_P(EvictingGuest, CallsReturnsAndPatchesStayRight) {
  constexpr u32 kFunctions = 1000, kRounds = 5;
  u32 immediate = 0;  // where that of ADD EBX stands
  for (u32 i = 0; i < kFunctions; ++i)
    assemble(kBodies + i * kBodySpan, [&](Asm& as) {
      as.add(eax, 0x1000 + i);
      as.in(al, 0x10);  // interpreted, in the middle: AL = 5A
      as.and_(eax, 0xffffff00);
      as.inc(dword_ptr(kCount));
      as.add(ebx, 1);  // its immediate is patched
      immediate = static_cast<u32>(as.offset()) - 1;
      as.ret();
    });
  assemble(kCode, [&](Asm& as) {
    const asmjit::Label round = as.newLabel(), call = as.newLabel();
    as.mov(edx, kRounds);
    as.bind(round);
    as.xor_(ecx, ecx);
    as.bind(call);
    as.mov(esi, ecx);
    as.shl(esi, 6);
    as.add(esi, kBodies);
    as.inc(byte_ptr(esi, static_cast<i32>(immediate)));
    as.call(esi);
    as.inc(ecx);
    as.cmp(ecx, kFunctions);
    as.jne(call);
    as.dec(edx);
    as.jnz(round);
    as.hlt();
  });
  for (u32 i = 0; i < kFunctions; ++i)
    ASSERT_EQ(peek_at<u32>(kBodies + i * kBodySpan + immediate - 2), 0xc301c383u) << "ADD EBX, 1; RET";
  run();
  EXPECT_EQ(peek_at<u32>(kCount), kFunctions * kRounds);
  EXPECT_EQ(reg(kEbx), kFunctions * (2 + 3 + 4 + 5 + 6));
  EXPECT_EQ(reg(kEsp), kStackTop);
  EXPECT_GE(count("bt: blocks evicted"), kFunctions);
  EXPECT_GE(count("pauses: eviction: count"), 5u);
  EXPECT_GE(count("pauses: translation: count"), count("bt: blocks translated"));
  EXPECT_LE(count("bt: cache bytes in use"), kSmallest);
}

// A fault of the host's in a block that was made after the ring began anew finds its instruction.
TEST_P(EvictingGuest, FaultsFindTheirBlocksAfterTheTurn) {
  constexpr u32 kFunctions = 2000;
  for (u32 i = 0; i < kFunctions; ++i)
    assemble(kBodies + i * kBodySpan, [&](Asm& as) {
      as.lea(ebx, dword_ptr(ebx, 1));
      as.div(ecx);
      as.jmp(kBodies + (i + 1) * kBodySpan);
    });
  write_code(kBodies + kFunctions * kBodySpan, {0xf4});
  // #DE: counts, and skips the two bytes of DIV.
  assemble(kStubs, [](Asm& as) {
    as.inc(dword_ptr(kCount));
    as.add(dword_ptr(esp), 2);
    as.iretd();
  });
  for (unsigned round = 1; round <= 2; ++round) {
    run_from(kBodies);
    EXPECT_EQ(reg(kEbx), kFunctions * round);
    EXPECT_EQ(peek_at<u32>(kCount), kFunctions * round);
    EXPECT_EQ(reg(kEsp), kStackTop);
  }
  EXPECT_GE(count("bt: blocks evicted"), kFunctions);
}

TEST(EvictionOptions, ACacheThatHoldsNoBlockIsRefused) {
  class Fixture : public BtFixture {
    void TestBody() override {}

   public:
    bool refused() {
      BtOptions options;
      options.cache_bytes = 4096;
      return !BtEngine::create(cpu_, options).has_value();
    }
  };
  EXPECT_TRUE(Fixture().refused());
}

}  // namespace
}  // namespace ringshift::bt
