// Multiplication, division and decimal adjustment on the interpreter.
#include "cpu-model/interp/interp_fixture.h"

namespace ringshift {
namespace {

class MultiplyTest : public InterpFixture {
 protected:
  void again(std::initializer_list<u8> code) {
    cpu_.state.halted = 0;
    cpu_.state.rip = kCode;
    run(code);
  }
  void set_pair(u32 edx, u32 eax) {
    cpu_.state.set_reg32(kEdx, edx);
    cpu_.state.set_reg32(kEax, eax);
  }
};

TEST_F(MultiplyTest, Products) {
  set_pair(0, 0xfffffffe);
  cpu_.state.set_reg32(kEcx, 0x80000001);
  again({0xf7, 0xe1, 0xf4});  // mul ecx
  EXPECT_EQ((u64{reg(kEdx)} << 32) | reg(kEax), u64{0xfffffffe} * 0x80000001);
  EXPECT_TRUE(has_flag(kFlagCf) && has_flag(kFlagOf));
  set_pair(0xaaaa0000, 0x1234fffe);
  again({0x66, 0xf7, 0xe9, 0xf4});  // imul cx: -2 * 1
  EXPECT_EQ(reg(kEax), 0x1234fffeu);
  EXPECT_EQ(reg(kEdx), 0xaaaaffffu);
  EXPECT_FALSE(has_flag(kFlagCf) || has_flag(kFlagOf));
  set_pair(0, 0x5550007f);
  again({0xf6, 0xe0, 0xf4});  // mul al
  EXPECT_EQ(reg(kEax), 0x55500000u + 0x7f * 0x7f);
  set_pair(0, 0);
  again({0x6b, 0xd1, 0xff, 0xf4});  // imul edx, ecx, -1
  EXPECT_EQ(reg(kEdx), 0x7fffffffu);
  cpu_.state.set_reg32(kEbx, 3);
  again({0x0f, 0xaf, 0xdb, 0xf4});  // imul ebx, ebx
  EXPECT_EQ(reg(kEbx), 9u);
}

TEST_F(MultiplyTest, Quotients) {
  set_pair(5, 7);
  cpu_.state.set_reg32(kEcx, 6);
  again({0xf7, 0xf1, 0xf4});  // div ecx
  EXPECT_EQ(reg(kEax), static_cast<u32>(((u64{5} << 32) + 7) / 6));
  EXPECT_EQ(reg(kEdx), static_cast<u32>(((u64{5} << 32) + 7) % 6));
  set_pair(0xffffffff, static_cast<u32>(-7));
  cpu_.state.set_reg32(kEcx, 2);
  again({0xf7, 0xf9, 0xf4});  // idiv ecx
  EXPECT_EQ(static_cast<i32>(reg(kEax)), -3);
  EXPECT_EQ(static_cast<i32>(reg(kEdx)), -1);
  set_pair(0, 0xff80);  // -128
  cpu_.state.set_reg32(kEcx, 1);
  again({0xf6, 0xf9, 0xf4});  // idiv cl: -128 fits
  EXPECT_EQ(reg(kEax), 0x0080u);
}

TEST_F(MultiplyTest, DivisionsThatDoNotFitFault) {
  struct Case {
    u32 edx, eax, ecx;
    std::initializer_list<u8> code;
  };
  const Case cases[] = {
      {0, 1, 0, {0xf7, 0xf1, 0xf4}},                    // div by 0
      {6, 0, 6, {0xf7, 0xf1, 0xf4}},                    // quotient 2^32
      {0x80000000, 0, 0xffffffff, {0xf7, 0xf9, 0xf4}},  // the least dividend by -1
      {0xffffffff, 0x80000000, 0xffffffff, {0xf7, 0xf9, 0xf4}},
      {0, 0x80, 1, {0xf6, 0xf9, 0xf4}},     // idiv cl: 128
      {0, 0x100, 1, {0xf6, 0xf1, 0xf4}},    // div cl: 256
      {1, 0, 1, {0x66, 0xf7, 0xf1, 0xf4}},  // div cx: 65536
      {0, 0x8000, 1, {0x66, 0xf7, 0xf9, 0xf4}},
  };
  for (const Case& c : cases) {
    set_pair(c.edx, c.eax);
    cpu_.state.set_reg32(kEcx, c.ecx);
    cpu_.state.set_reg32(kEsp, kStack);
    again(c.code);
    EXPECT_TRUE(in_handler(0)) << c.edx << ":" << c.eax << " / " << c.ecx;
    EXPECT_EQ(reg(kEdx), c.edx);
    EXPECT_EQ(reg(kEax), c.eax);
    EXPECT_EQ(stack(), kCode);
  }
}

TEST_F(MultiplyTest, SignExtensions) {
  set_pair(0x12345678, 0xaaaa0080);
  again({0x66, 0x98, 0xf4});  // cbw
  EXPECT_EQ(reg(kEax), 0xaaaaff80u);
  again({0x98, 0x99, 0xf4});  // cwde; cdq
  EXPECT_EQ(reg(kEax), 0xffffff80u);
  EXPECT_EQ(reg(kEdx), 0xffffffffu);
  set_pair(0x12345678, 0x7fff);
  again({0x66, 0x99, 0xf4});  // cwd
  EXPECT_EQ(reg(kEdx), 0x12340000u);
}

TEST_F(MultiplyTest, DecimalAdjustment) {
  for (u32 a = 0; a < 100; ++a) {
    for (u32 b = 0; b < 100; b += 7) {
      const u32 packed_a = a / 10 * 16 + a % 10, packed_b = b / 10 * 16 + b % 10;
      set_pair(0, packed_a);
      cpu_.state.set_reg32(kEbx, packed_b);
      again({0x00, 0xd8, 0x27, 0xf4});  // add al, bl; daa
      const u32 sum = (a + b) % 100;
      EXPECT_EQ(reg(kEax), sum / 10 * 16 + sum % 10);
      EXPECT_EQ(has_flag(kFlagCf), a + b >= 100);
      set_pair(0, packed_a);
      again({0x28, 0xd8, 0x2f, 0xf4});  // sub al, bl; das
      const u32 difference = (a + 100 - b) % 100;
      EXPECT_EQ(reg(kEax), difference / 10 * 16 + difference % 10);
      EXPECT_EQ(has_flag(kFlagCf), a < b);
    }
  }
  set_pair(0, 0x0208);
  again({0x04, 0x05, 0x37, 0xf4});  // add al, 5; aaa: 28 + 5 = 33
  EXPECT_EQ(reg(kEax), 0x0303u);
  set_pair(0, 0x0303);
  again({0x2c, 0x05, 0x3f, 0xf4});  // sub al, 5; aas
  EXPECT_EQ(reg(kEax), 0x0208u);
  set_pair(0, 73);
  again({0xd4, 0x0a, 0xf4});  // aam
  EXPECT_EQ(reg(kEax), 0x0703u);
  again({0xd5, 0x0a, 0xf4});  // aad
  EXPECT_EQ(reg(kEax), 73u);
  again({0xd4, 0x00, 0xf4});  // aam 0
  EXPECT_TRUE(in_handler(0));
}

}  // namespace
}  // namespace ringshift
