// REP in the cache: downward, counts that are clipped, faults half way.
#include "translator/bt_fixture.h"

namespace ringshift::bt {
namespace {

using namespace asmjit::x86;  // NOLINT: register names

class Rep : public BothMemories {
 protected:
  static constexpr u32 kFrom = 0x200000, kHole = 0x240000;

  Rep() { enter_paging(); }
  void set(u32 ecx, u32 esi, u32 edi) {
    cpu_.state.set_reg32(kEcx, ecx);
    cpu_.state.set_reg32(kEsi, esi);
    cpu_.state.set_reg32(kEdi, edi);
  }
  // The one REP instruction, in the direction, with flags that it may keep.
  void write_rep(bool downward, std::initializer_list<u8> rep) {
    std::vector<u8> code = {static_cast<u8>(downward ? 0xfd : 0xfc)};
    code.insert(code.end(), rep);
    code.push_back(0xf4);
    EXPECT_TRUE(phys_.write(kCode, code.data(), code.size()));
  }
  void unmap(u32 page) {
    poke<u32>(kTable + (page >> kPageShift) * 4, 0);
    cpu_.flush_all();
  }
  static constexpr std::initializer_list<u8> kMovsd = {0xf3, 0xa5}, kStosb = {0xf3, 0xaa};
  static constexpr std::initializer_list<u8> kScasb = {0xf2, 0xae}, kCmpsb = {0xf3, 0xa6};
};
INSTANTIATE_TEST_SUITE_P(Bt, Rep, kEachWay, way_name);

// memmove upwards in memory by a little: the last first.
TEST_P(Rep, DownwardMovesOfOverlappingMemory) {
  constexpr u32 kWords = 5000;
  for (u32 i = 0; i < kWords; ++i) poke<u32>(kFrom + i * 4, i * 7 + 1);
  write_rep(true, kMovsd);
  const u32 last = kFrom + (kWords - 1) * 4;
  set(kWords, last, last + 20);
  run_from(kCode);
  EXPECT_EQ(reg(kEcx), 0u);
  EXPECT_EQ(reg(kEsi), kFrom - 4);
  EXPECT_EQ(reg(kEdi), kFrom + 16);
  for (u32 i = 0; i < kWords; ++i) ASSERT_EQ(peek_at<u32>(kFrom + 20 + i * 4), i * 7 + 1) << i;
}

// Into a page that isn't there, half an element ahead of it.
TEST_P(Rep, DownwardFaultsKeepProgress) {
  write_rep(true, kMovsd);
  unmap(kHole);
  for (int round = 0; round < 3; ++round) {
    for (u32 i = 0; i < 200; ++i) poke<u32>(kFrom + i * 4, i + 1);
    set(200, kFrom + 199 * 4, kHole + kPageSize + 100 * 4 + 2);
    cpu_.state.set_reg32(kEsp, kStackTop);
    cpu_.state.rflags = kFlagFixed;
    run_from(kCode);
    EXPECT_EQ(vector(), 14u);
    EXPECT_EQ(static_cast<u32>(cpu_.state.cr2) & ~3u, kHole + kPageSize - 4);
    EXPECT_EQ(reg(kEcx), 99u);
    EXPECT_EQ(reg(kEsi), kFrom + 98 * 4);
    EXPECT_EQ(reg(kEdi), kHole + kPageSize - 2);
    EXPECT_EQ(peek_at<u32>(reg(kEsp) + 4), kCode + 1) << "EIP, above the error code";
    EXPECT_NE(peek_at<u32>(reg(kEsp) + 12) & kFlagDf, 0u);
    EXPECT_EQ(peek_at<u32>(kHole + kPageSize + 2), 100u);
  }
}

// Past address 0 to FFFFFFFF, which isn't mapped.
TEST_P(Rep, DownwardEndsAtAddressZero) {
  write_rep(true, kStosb);
  cpu_.state.set_reg32(kEax, 0x77);
  const u8 before = peek_at<u8>(10);
  set(100, 0, 9);
  run_from(kCode);
  EXPECT_EQ(vector(), 14u);
  EXPECT_EQ(cpu_.state.cr2, 0xffffffffu);
  EXPECT_EQ(reg(kEcx), 90u);
  EXPECT_EQ(reg(kEdi), 0xffffffffu);
  for (u32 at = 0; at < 10; ++at) EXPECT_EQ(peek_at<u8>(at), 0x77);
  EXPECT_EQ(peek_at<u8>(10), before);
}

// strlen as compilers wrote it, of strings shorter and longer than what the host does at once.
TEST_P(Rep, ScanWithACountWithoutEnd) {
  write_rep(false, kScasb);
  for (const u32 length : {0u, 5u, 16382u, 16383u, 16384u, 16385u, 60000u}) {
    for (u32 i = 0; i < length; ++i) poke<u8>(kFrom + i, 'x');
    poke<u8>(kFrom + length, 0);
    cpu_.state.set_reg32(kEax, 0);
    set(0xffffffff, 0, kFrom);
    run_from(kCode);
    EXPECT_EQ(~reg(kEcx) - 1, length);
    EXPECT_EQ(reg(kEdi), kFrom + length + 1);
    EXPECT_NE(cpu_.state.rflags & kFlagZf, 0u);
  }
}

// Counts at the limit that nothing ends but themselves; a count of 0 keeps the flags.
TEST_P(Rep, ComparesToTheLastElement) {
  write_rep(false, kCmpsb);
  for (const u32 count : {1u, 16383u, 16384u, 16385u, 32768u, 50000u}) {
    set(count, kFrom, kFrom + 0x20000);
    run_from(kCode);
    EXPECT_EQ(reg(kEcx), 0u);
    EXPECT_EQ(reg(kEsi), kFrom + count);
    EXPECT_NE(cpu_.state.rflags & kFlagZf, 0u);
    poke<u8>(kFrom + count - 1, 1);
    set(count, kFrom, kFrom + 0x20000);
    run_from(kCode);
    EXPECT_EQ(reg(kEcx), 0u);
    EXPECT_EQ(cpu_.state.rflags & kFlagZf, 0u);
    poke<u8>(kFrom + count - 1, 0);
  }
  for (const u32 flags : {kFlagZf | kFlagCf, kFlagOf | kFlagSf}) {
    cpu_.state.rflags = kFlagFixed | flags;
    set(0, kFrom, kFrom);
    run_from(kCode);
    EXPECT_EQ(cpu_.state.rflags & kArithmeticFlags, flags);
  }
}

// The whole count is the guest's where a clipped one faults.
TEST_P(Rep, ScanFaultsWithTheWholeCount) {
  write_rep(false, kScasb);
  for (u32 at = kHole - 20000; at < kHole; ++at) poke<u8>(at, 'x');
  unmap(kHole);
  cpu_.state.set_reg32(kEax, 0);
  for (const u32 bytes : {3u, 5000u, 16384u, 16390u, 20000u}) {
    set(0xfffffff0, 0, kHole - bytes);
    cpu_.state.set_reg32(kEsp, kStackTop);
    run_from(kCode);
    EXPECT_EQ(vector(), 14u);
    EXPECT_EQ(cpu_.state.cr2, kHole);
    EXPECT_EQ(reg(kEcx), 0xfffffff0 - bytes);
    EXPECT_EQ(reg(kEdi), kHole);
    EXPECT_EQ(peek_at<u32>(reg(kEsp) + 4), kCode + 1);
  }
}

}  // namespace
}  // namespace ringshift::bt
