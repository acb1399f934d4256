// Shifts, rotates, bit strings and scans on the interpreter.
#include "cpu-model/interp/interp_fixture.h"

namespace ringshift {
namespace {

class ShiftsTest : public InterpFixture {
 protected:
  void again(std::initializer_list<u8> code) {
    cpu_.state.halted = 0;
    cpu_.state.rip = kCode;
    run(code);
  }
};

// shl eax, cl for every count, against the definition
TEST_F(ShiftsTest, ShlByEveryCount) {
  for (u32 count = 0; count < 256; ++count) {
    cpu_.state.set_reg32(kEax, 0x90000003);
    cpu_.state.set_reg32(kEcx, count);
    cpu_.state.rflags = kFlagFixed | kFlagCf | kFlagZf;
    again({0xd3, 0xe0, 0xf4});
    const u32 n = count & 31;
    EXPECT_EQ(reg(kEax), 0x90000003u << n) << count;
    if (n == 0) {
      EXPECT_TRUE(has_flag(kFlagCf) && has_flag(kFlagZf)) << "a count of 0 keeps flags";
    } else {
      EXPECT_EQ(has_flag(kFlagCf), (((u64{0x90000003} << n) >> 32) & 1) != 0) << count;
    }
  }
}

// rcl bl, cl: a 9-bit rotate
TEST_F(ShiftsTest, RclOfBytesCountsModulo9) {
  for (u32 count = 0; count < 32; ++count) {
    cpu_.state.set_reg32(kEbx, 0xa5);
    cpu_.state.set_reg32(kEcx, count);
    cpu_.state.rflags = kFlagFixed | kFlagCf;
    again({0xd2, 0xd3, 0xf4});
    u32 nine = 0x1a5;
    for (u32 i = 0; i < count % 9; ++i) nine = ((nine << 1) | (nine >> 8)) & 0x1ff;
    EXPECT_EQ(reg(kEbx), nine & 0xff) << count;
    EXPECT_EQ(has_flag(kFlagCf), (nine & 0x100) != 0) << count;
  }
}

// sar word [5000], 4; shr byte [5003], 1; ror dword [5004], 8
TEST_F(ShiftsTest, ShiftsMemory) {
  poke<u32>(kData, 0x81008123);
  poke<u32>(kData + 4, 0x12345678);
  run({0x66, 0xc1, 0x3d, 0x00, 0x50, 0x00, 0x00, 0x04, 0xd0, 0x2d, 0x03,
       0x50, 0x00, 0x00, 0xc1, 0x0d, 0x04, 0x50, 0x00, 0x00, 0x08, 0xf4});
  EXPECT_EQ(data(), 0x4000f812u);
  EXPECT_EQ(data(4), 0x78123456u);
}

// shld eax, edx, 8; shrd ebx, edx, cl
TEST_F(ShiftsTest, DoubleShifts) {
  cpu_.state.set_reg32(kEax, 0x11223344);
  cpu_.state.set_reg32(kEbx, 0x11223344);
  cpu_.state.set_reg32(kEdx, 0xaabbccdd);
  cpu_.state.set_reg32(kEcx, 16);
  run({0x0f, 0xa4, 0xd0, 0x08, 0x0f, 0xad, 0xd3, 0xf4});
  EXPECT_EQ(reg(kEax), 0x223344aau);
  EXPECT_EQ(reg(kEbx), 0xccdd1122u);
}

// bts [5000], eax with an index below and above the operand
TEST_F(ShiftsTest, BitStringsReachBeyondTheOperand) {
  cpu_.state.set_reg32(kEax, static_cast<u32>(-1));
  run({0x0f, 0xab, 0x05, 0x00, 0x50, 0x00, 0x00, 0xf4});
  EXPECT_EQ(peek_at<u32>(kData - 4), 0x80000000u);
  EXPECT_FALSE(has_flag(kFlagCf));
  cpu_.state.set_reg32(kEax, 100);
  again({0x0f, 0xab, 0x05, 0x00, 0x50, 0x00, 0x00, 0xf4});
  EXPECT_EQ(data(12), 1u << 4);
  again({0x0f, 0xa3, 0x05, 0x00, 0x50, 0x00, 0x00, 0xf4});
  EXPECT_TRUE(has_flag(kFlagCf));
  again({0x0f, 0xbb, 0x05, 0x00, 0x50, 0x00, 0x00, 0xf4});  // btc
  EXPECT_EQ(data(12), 0u);
  // The immediate form stays in the operand: btr dword [5000], 33 clears bit 1.
  poke<u32>(kData, 3);
  again({0x0f, 0xba, 0x35, 0x00, 0x50, 0x00, 0x00, 33, 0xf4});
  EXPECT_EQ(data(), 1u);
}

// bsf eax, ecx; rep bsf is the same without BMI1
TEST_F(ShiftsTest, ScansOfZeroKeepTheDestination) {
  cpu_.state.set_reg32(kEax, 0xdead);
  cpu_.state.set_reg32(kEcx, 0);
  run({0x0f, 0xbc, 0xc1, 0xf4});
  EXPECT_EQ(reg(kEax), 0xdeadu);
  EXPECT_TRUE(has_flag(kFlagZf));
  cpu_.state.set_reg32(kEcx, 0x00100800);
  again({0xf3, 0x0f, 0xbc, 0xc1, 0xf3, 0x0f, 0xbd, 0xd1, 0xf4});
  EXPECT_EQ(reg(kEax), 11u);
  EXPECT_EQ(reg(kEdx), 20u);
  EXPECT_FALSE(has_flag(kFlagZf));
}

}  // namespace
}  // namespace ringshift
