// String instructions on the interpreter: directions, overlap, faults in the middle, rounds.
#include "cpu-model/interp/interp_fixture.h"

namespace ringshift {
namespace {

class StringsTest : public InterpFixture {
 protected:
  void set(u32 ecx, u32 esi, u32 edi) {
    cpu_.state.set_reg32(kEcx, ecx);
    cpu_.state.set_reg32(kEsi, esi);
    cpu_.state.set_reg32(kEdi, edi);
  }
  void put(u32 at, const char* text) { std::memcpy(memory_.base() + at, text, std::strlen(text) + 1); }
  std::string text(u32 at) { return reinterpret_cast<const char*>(memory_.base() + at); }
};

TEST_F(StringsTest, RepMovsbAcrossPages) {
  for (u32 i = 0; i < 20000; ++i) poke<u8>(0x10ff3 + i, static_cast<u8>(i * 7));
  set(20000, 0x10ff3, 0x20801);
  run({0xf3, 0xa4, 0xf4});
  EXPECT_EQ(reg(kEcx), 0u);
  EXPECT_EQ(reg(kEsi), 0x10ff3u + 20000);
  EXPECT_EQ(reg(kEdi), 0x20801u + 20000);
  EXPECT_EQ(std::memcmp(memory_.base() + 0x10ff3, memory_.base() + 0x20801, 20000), 0);
}

TEST_F(StringsTest, OverlapRepeatsThePattern) {
  poke<u32>(kData, 0x04030201);
  set(9, kData, kData + 2);
  run({0xf3, 0xa4, 0xf4});
  for (u32 i = 0; i < 11; ++i) EXPECT_EQ(peek_at<u8>(kData + i), 1 + i % 2);
  cpu_.state.halted = 0;
  cpu_.state.rip = kCode;
  poke<u64>(kData, 0x0807060504030201);
  set(2, kData, kData + 3);
  run({0xf3, 0xa5, 0xf4});  // rep movsd with a distance of 3
  EXPECT_EQ(data(3), 0x04030201u);
  EXPECT_EQ(data(7), 0x08040302u);
}

TEST_F(StringsTest, BackwardMoves) {
  put(kData, "abcdefgh");
  set(8, kData + 7, kData + 9);
  run({0xfd, 0xf3, 0xa4, 0xfc, 0xf4});
  EXPECT_EQ(text(kData + 2), "abcdefgh");
  EXPECT_EQ(reg(kEdi), kData + 1);
}

// Across pages, where source and destination lie apart, overlap with and against the direction.
TEST_F(StringsTest, RepBackwardAcrossPages) {
  constexpr u32 kCount = 3000, kTop = 0x14001;
  for (const u32 to_top : {0x24803u, kTop + 5, kTop - 5, kTop - 4, kTop}) {
    std::vector<u8> expected(0x30000);
    for (u32 i = 0; i < expected.size(); ++i) {
      expected[i] = static_cast<u8>(i * 7 + (i >> 8));
      poke<u8>(0x10000 + i, expected[i]);
    }
    for (u32 i = 0; i < kCount; ++i) {
      u32 element;
      std::memcpy(&element, &expected[kTop - 0x10000 - 4 * i], 4);
      std::memcpy(&expected[to_top - 0x10000 - 4 * i], &element, 4);
    }
    cpu_.state.rip = kCode;
    cpu_.state.halted = 0;
    set(kCount, kTop, to_top);
    run({0xfd, 0xf3, 0xa5, 0xfc, 0xf4});
    EXPECT_EQ(reg(kEcx), 0u);
    EXPECT_EQ(reg(kEsi), kTop - 4 * kCount);
    EXPECT_EQ(reg(kEdi), to_top - 4 * kCount);
    EXPECT_EQ(std::memcmp(memory_.base() + 0x10000, expected.data(), expected.size()), 0) << to_top;
  }
}

TEST_F(StringsTest, RepneScasbBackwardFindsTheByteBefore) {
  put(0x11ffa, "/usr/bin/env");
  cpu_.state.set_reg32(kEax, '/');
  set(0xffffffff, 0, 0x11ffa + 11);
  run({0xfd, 0xf2, 0xae, 0xfc, 0xf4});
  EXPECT_EQ(reg(kEdi), 0x11ffau + 7);
  EXPECT_TRUE(has_flag(kFlagZf));
}

TEST_F(StringsTest, RepStosFillsAndCounts) {
  cpu_.state.set_reg32(kEax, 0xcafebabe);
  set(3000, 0, 0x10002);
  run({0xf3, 0xab, 0xf4});
  for (u32 i = 0; i < 3000; ++i) ASSERT_EQ(peek_at<u32>(0x10002 + 4 * i), 0xcafebabeu);
  EXPECT_EQ(peek_at<u32>(0x10002 + 12000), 0u);
  EXPECT_EQ(reg(kEdi), 0x10002u + 12000);
}

TEST_F(StringsTest, RepneScasbFindsTheEnd) {
  put(0x10ffa, "hello, world");
  cpu_.state.set_reg32(kEax, 0);
  set(0xffffffff, 0, 0x10ffa);
  run({0xf2, 0xae, 0xf4});
  EXPECT_EQ(~reg(kEcx) - 1, 12u);
  EXPECT_TRUE(has_flag(kFlagZf));
}

TEST_F(StringsTest, RepeCmpsbStopsAtTheDifference) {
  put(0x10ffa, "hello, world");
  put(0x20100, "hello, wOrld");
  set(12, 0x10ffa, 0x20100);
  run({0xf3, 0xa6, 0xf4});
  EXPECT_EQ(reg(kEcx), 3u);
  EXPECT_FALSE(has_flag(kFlagZf));
  EXPECT_FALSE(has_flag(kFlagCf));  // 'o' above 'O'
}

TEST_F(StringsTest, CountOfZeroDoesNothingAndKeepsFlags) {
  cpu_.state.rflags |= kFlagZf;
  set(0, 0xfffffff0, 0xfffffff0);
  run({0xf3, 0xa6, 0xf3, 0xa5, 0xf4});
  EXPECT_TRUE(has_flag(kFlagZf));
  EXPECT_EQ(reg(kEsi), 0xfffffff0u);
}

// The segment ends at 5FFF: 10 of 16 elements are done when the 11th faults.
TEST_F(StringsTest, FaultInTheMiddleKeepsProgress) {
  cpu_.state.segment(Seg::es).limit = 0x5fff;
  cpu_.state.set_reg32(kEax, 0x55);
  set(16, 0, 0x6000 - 10);
  run({0xf3, 0xaa, 0xf4});
  EXPECT_TRUE(in_handler(13));
  EXPECT_EQ(reg(kEcx), 6u);
  EXPECT_EQ(reg(kEdi), 0x6000u);
  EXPECT_EQ(peek_at<u8>(0x5fff), 0x55);
  EXPECT_EQ(stack(4), kCode);  // the saved EIP, above the error code
}

// 16-bit addresses wrap, and only CX and DI change.
TEST_F(StringsTest, SixteenBitAddressesWrap) {
  cpu_.state.set_reg32(kEax, 0x11);
  set(0xabcd0004, 0, 0x1234fffe);
  run({0x67, 0xf3, 0xaa, 0xf4});
  EXPECT_EQ(reg(kEcx), 0xabcd0000u);
  EXPECT_EQ(reg(kEdi), 0x12340002u);
  EXPECT_EQ(peek_at<u8>(0xffff), 0x11);
  EXPECT_EQ(peek_at<u8>(1), 0x11);
}

TEST_F(StringsTest, SourceSegmentMayBeOverridden) {
  cpu_.state.segment(Seg::fs).base = 0x100;
  poke<u32>(kData + 0x100, 0x99887766);
  set(0, kData, 0x6000);
  run({0x64, 0xa5, 0xf4});
  EXPECT_EQ(peek_at<u32>(0x6000), 0x99887766u);
}

TEST_F(StringsTest, PortStrings) {
  cpu_.state.set_reg32(kEdx, 0x1f0);
  set(3, 0, kData);
  run({0xf3, 0x66, 0x6d, 0xf4});  // rep insw
  EXPECT_EQ(data(), 0x33443344u);
  EXPECT_EQ(data(4), 0x3344u);
  cpu_.state.halted = 0;
  cpu_.state.rip = kCode;
  set(2, kData + 2, 0);
  run({0xf3, 0x6e, 0xf4});  // rep outsb
  ASSERT_EQ(test_io_.writes.size(), 2u);
  EXPECT_EQ(test_io_.writes[0], (TestIo::PortWrite{0x1f0, 1, 0x44}));
}

TEST_F(StringsTest, LodsAndXlat) {
  poke<u32>(kData, 0x44332211);
  set(4, kData, 0);
  run({0xf3, 0xac, 0xf4});
  EXPECT_EQ(reg(kEax), 0x44u);
  cpu_.state.halted = 0;
  cpu_.state.rip = kCode;
  cpu_.state.set_reg32(kEbx, kData - 0x42);
  run({0xd7, 0xf4});
  EXPECT_EQ(reg(kEax), 0x33u);
}

}  // namespace
}  // namespace ringshift
