// x87 on the interpreter: results against the host's, exceptions, environments.
#include <cmath>

#include "cpu-model/interp/fx_image.h"
#include "cpu-model/interp/interp_fixture.h"

namespace ringshift {
namespace {

class X87Test : public InterpFixture {
 protected:
  X87Test() { cpu_.state.cr0 |= kCr0Ne | kCr0Mp; }
  void again(std::initializer_list<u8> code) {
    cpu_.state.halted = 0;
    cpu_.state.rip = kCode;
    run(code);
  }
  FxState& fx() { return cpu_.state.fx; }
};

// fninit; fld qword [5000]; fld qword [5008]; fpatan; fstp qword [5010]
TEST_F(X87Test, ArcTangentIsTheHosts) {
  poke<double>(kData, 1.25);
  poke<double>(kData + 8, -3.5);
  run({0xdb, 0xe3, 0xdd, 0x05, 0x00, 0x50, 0x00, 0x00, 0xdd, 0x05, 0x08, 0x50,
       0x00, 0x00, 0xd9, 0xf3, 0xdd, 0x1d, 0x10, 0x50, 0x00, 0x00, 0xf4});
  long double result;
  asm("fpatan" : "=t"(result) : "0"(-3.5L), "u"(1.25L) : "st(1)");
  EXPECT_EQ(peek_at<double>(kData + 16), static_cast<double>(result));
  EXPECT_EQ(fx_top(fx()), 0u);
  EXPECT_EQ(fx().bytes[kFxTags], 0);
  EXPECT_EQ(fx_get<u64>(fx(), kFxFip), 0u) << "no host address may show";
}

// fninit; fild dword [5000]; fimul word [5004]; fistp qword [5008]; fld1; fldz; fcomi st1
TEST_F(X87Test, IntegersAndFlags) {
  poke<i32>(kData, -123456);
  poke<i16>(kData + 4, 1000);
  run({0xdb, 0xe3, 0xdb, 0x05, 0x00, 0x50, 0x00, 0x00, 0xde, 0x0d, 0x04, 0x50, 0x00, 0x00,
       0xdf, 0x3d, 0x08, 0x50, 0x00, 0x00, 0xd9, 0xe8, 0xd9, 0xee, 0xdb, 0xf1, 0xf4});
  EXPECT_EQ(peek_at<i64>(kData + 8), -123456000);
  EXPECT_TRUE(has_flag(kFlagCf));
  EXPECT_FALSE(has_flag(kFlagZf));
  EXPECT_EQ(fx().bytes[kFxTags], 0xc0);
}

// fldcw [5000] unmasks division by zero; fld1; fldz; fdivp: #MF comes with the next waiting instruction.
TEST_F(X87Test, UnmaskedExceptionWaits) {
  poke<u16>(kData, 0x037b);
  run({0xdb, 0xe3, 0xd9, 0x2d, 0x00, 0x50, 0x00, 0x00, 0xd9, 0xe8, 0xd9, 0xee, 0xde, 0xf9, 0xdf, 0xe0, 0x90,
       0x9b, 0xf4});
  EXPECT_TRUE(in_handler(16));
  EXPECT_EQ(stack(), kCode + 17);  // at FWAIT
  EXPECT_EQ(reg(kEax) & 0x84, 0x84u) << "FNSTSW does not wait";
}

// With CR0.NE = 0 the same goes on, and FERR# is raised.
TEST_F(X87Test, ExternalErrorReporting) {
  cpu_.state.cr0 &= ~u64{kCr0Ne};
  poke<u16>(kData, 0x037b);
  run({0xdb, 0xe3, 0xd9, 0x2d, 0x00, 0x50, 0x00, 0x00, 0xd9, 0xe8, 0xd9, 0xee, 0xde, 0xf9, 0x9b, 0xf4});
  EXPECT_FALSE(in_handler(16));
  EXPECT_EQ(cpu_.state.ferr_pending, 1);
  again({0xd9, 0xe8, 0xdb, 0xe2, 0xf4});  // fld1; fnclex
  EXPECT_EQ(cpu_.state.ferr_pending, 0);
}

// An unmasked invalid operation stores nothing: fistp word [5002] of 1e6.
TEST_F(X87Test, UnmaskedInvalidStoresNothing) {
  poke<u16>(kData, 0x037e);
  poke<u16>(kData + 2, 0x5555);
  poke<i32>(kData + 4, 1000000);
  run({0xdb, 0xe3, 0xd9, 0x2d, 0x00, 0x50, 0x00, 0x00, 0xdb, 0x05, 0x04,
       0x50, 0x00, 0x00, 0xdf, 0x1d, 0x02, 0x50, 0x00, 0x00, 0xf4});
  EXPECT_EQ(peek_at<u16>(kData + 2), 0x5555);
  EXPECT_EQ(fx_top(fx()), 7u) << "and does not pop";
  EXPECT_TRUE((fx_fsw(fx()) & kFswSummary) != 0);
}

// fld1; fldpi; fnsave [5000]; frstor [5000]
TEST_F(X87Test, SaveAndRestore) {
  run({0xdb, 0xe3, 0xd9, 0xe8, 0xd9, 0xeb, 0xdd, 0x35, 0x00, 0x50, 0x00, 0x00, 0xf4});
  EXPECT_EQ(data(), 0xffff037fu);
  EXPECT_EQ(data(4), 0xffff3000u);
  EXPECT_EQ(data(8), 0xffff0fffu);
  EXPECT_EQ(peek_at<u64>(kData + 28), 0xc90fdaa22168c235u);  // ST(0), pi
  EXPECT_EQ(peek_at<u64>(kData + 38), 0x8000000000000000u);  // ST(1), 1
  EXPECT_EQ(fx_fsw(fx()), 0);
  again({0xdd, 0x25, 0x00, 0x50, 0x00, 0x00, 0xdd, 0x1d, 0x00, 0x60, 0x00, 0x00, 0xf4});
  EXPECT_EQ(peek_at<double>(0x6000), M_PI);
  EXPECT_EQ(fx_top(fx()), 7u);
}

// FLDENV moves TOP under registers that stay: fld1; fldenv with TOP = 5; ST(2) is what ST(0) was.
TEST_F(X87Test, LoadedEnvironmentRotatesTheStack) {
  poke<u32>(kData, 0x037f);
  poke<u32>(kData + 4, 5 << 11);
  poke<u32>(kData + 8, 0x03ff);
  run({0xdb, 0xe3, 0xd9, 0xe8, 0xd9, 0x25, 0x00, 0x50, 0x00, 0x00, 0xdd,
       0xd8, 0xdd, 0xd8, 0xdd, 0x1d, 0x00, 0x60, 0x00, 0x00, 0xf4});
  EXPECT_EQ(peek_at<double>(0x6000), 1.0);
}

TEST_F(X87Test, EmulationAndTaskSwitchTrap) {
  for (const u32 bit : {kCr0Em, kCr0Ts}) {
    cpu_.state.cr0 |= bit;
    cpu_.state.set_reg32(kEsp, kStack);
    again({0xd9, 0xe8, 0xf4});
    EXPECT_TRUE(in_handler(7));
    again({0xdb, 0xe3, 0xf4});
    EXPECT_TRUE(in_handler(7));
    cpu_.state.cr0 &= ~u64{bit};
  }
  cpu_.state.cr0 |= kCr0Ts;
  again({0x9b, 0xf4});
  EXPECT_TRUE(in_handler(7));
  cpu_.state.cr0 &= ~u64{kCr0Mp};
  again({0x9b, 0xf4});
  EXPECT_FALSE(in_handler(7));
}

}  // namespace
}  // namespace ringshift
