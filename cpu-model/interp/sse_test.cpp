// MMX and SSE on the interpreter: results against the host's, exceptions, alignment, FXSAVE's bounds.
#include <emmintrin.h>

#include <random>

#include "cpu-model/interp/fx_image.h"
#include "cpu-model/interp/interp_fixture.h"

namespace ringshift {
namespace {

class SseTest : public InterpFixture {
 protected:
  SseTest() {
    cpu_.state.cr0 |= kCr0Ne | kCr0Mp;
    cpu_.state.cr4 |= kCr4OsFxsr | kCr4OsXmmExcpt;
    set_mxcsr(kMxcsrInitial);
  }
  void again(std::initializer_list<u8> code) {
    cpu_.state.halted = 0;
    cpu_.state.rip = kCode;
    cpu_.state.set_reg32(kEsp, kStack);
    run(code);
  }
  FxState& fx() { return cpu_.state.fx; }
  void set_mxcsr(u32 value) { fx_put<u32>(fx(), kFxMxcsr, value); }
  void set_xmm(unsigned n, __m128i value) { fx_put(fx(), kFxXmm + 16 * n, value); }
  __m128i xmm(unsigned n) { return fx_get<__m128i>(fx(), kFxXmm + 16 * n); }
  static bool same(__m128i a, __m128i b) { return std::memcmp(&a, &b, 16) == 0; }
};

TEST_F(SseTest, RandomOperandsGiveTheHostsResults) {
  std::mt19937_64 random(1);
  for (unsigned i = 0; i < 200; ++i) {
    const __m128i a = _mm_set_epi64x(static_cast<i64>(random()), static_cast<i64>(random()));
    const __m128i b = _mm_set_epi64x(static_cast<i64>(random()), static_cast<i64>(random()));
    const auto check = [&](std::initializer_list<u8> code, __m128i expected) {
      set_xmm(1, a);
      set_xmm(2, b);
      again(code);
      EXPECT_TRUE(same(xmm(1), expected));
      EXPECT_TRUE(same(xmm(2), b));
    };
    check({0x66, 0x0f, 0xfc, 0xca, 0xf4}, _mm_add_epi8(a, b));
    check({0x66, 0x0f, 0x38, 0x00, 0xca, 0x66, 0x0f, 0xef, 0xc9, 0xf4}, _mm_setzero_si128());  // pshufb; pxor
    check({0x66, 0x0f, 0xf4, 0xca, 0xf4}, _mm_mul_epu32(a, b));
    check({0x66, 0x0f, 0x70, 0xca, 0x1b, 0xf4}, _mm_shuffle_epi32(b, 0x1b));
    check({0x66, 0x0f, 0x59, 0xca, 0xf4},
          _mm_castpd_si128(_mm_mul_pd(_mm_castsi128_pd(a), _mm_castsi128_pd(b))));
    check({0x0f, 0x58, 0xca, 0xf4}, _mm_castps_si128(_mm_add_ps(_mm_castsi128_ps(a), _mm_castsi128_ps(b))));
    check({0xf3, 0x0f, 0x5b, 0xca, 0xf4}, _mm_cvttps_epi32(_mm_castsi128_ps(b)));
  }
}

// movd esp, xmm0; movd xmm1, esp; pmovmskb esp, xmm2; movaps [esp], xmm3 through its SIB form
TEST_F(SseTest, StackPointerAsAnOperand) {
  set_xmm(0, _mm_set1_epi32(0x7770));
  set_xmm(2, _mm_set1_epi8(-1));
  set_xmm(3, _mm_set1_epi8(0x33));
  again(
      {0x66, 0x0f, 0x7e, 0xc4, 0x66, 0x0f, 0x6e, 0xcc, 0x0f, 0x29, 0x1c, 0x24, 0x66, 0x0f, 0xd7, 0xe2, 0xf4});
  EXPECT_TRUE(same(xmm(1), _mm_set_epi32(0, 0, 0, 0x7770)));
  EXPECT_EQ(peek_at<u32>(0x7770), 0x33333333u);
  EXPECT_EQ(reg(kEsp), 0xffffu);
}

TEST_F(SseTest, AlignmentIsChecked) {
  cpu_.state.set_reg32(kEbx, kData + 4);
  again({0x0f, 0x28, 0x03, 0xf4});  // movaps xmm0, [ebx]
  EXPECT_TRUE(in_handler(13));
  poke<u64>(kData + 4, 0x1122334455667788);
  again({0x0f, 0x10, 0x03, 0xf4});  // movups
  EXPECT_FALSE(in_handler(13));
  EXPECT_EQ(fx_get<u64>(fx(), kFxXmm), 0x1122334455667788u);
  again({0x0f, 0x16, 0x0b, 0xf4});  // movhps xmm1, [ebx]: 8 bytes need none
  EXPECT_EQ(fx_get<u64>(fx(), kFxXmm + 24), 0x1122334455667788u);
}

TEST_F(SseTest, ExceptionsAndFlags) {
  set_xmm(0, _mm_castpd_si128(_mm_set_sd(1.0)));
  set_xmm(1, _mm_setzero_si128());
  again({0xf2, 0x0f, 0x5e, 0xc1, 0xf4});  // divsd xmm0, xmm1, masked
  EXPECT_EQ(fx_mxcsr(fx()), kMxcsrInitial | 4);
  EXPECT_EQ(fx_get<double>(fx(), kFxXmm), HUGE_VAL);
  set_mxcsr(0x1d80);
  set_xmm(0, _mm_castpd_si128(_mm_set_sd(1.0)));
  again({0xf2, 0x0f, 0x5e, 0xc1, 0xf4});
  EXPECT_TRUE(in_handler(19));
  EXPECT_EQ(fx_mxcsr(fx()), 0x1d84u);
  EXPECT_EQ(fx_get<double>(fx(), kFxXmm), 1.0) << "no result";
  set_mxcsr(0x1d84);
  again({0xf2, 0x0f, 0x58, 0xc1, 0xf4});  // an old flag raises nothing
  EXPECT_FALSE(in_handler(19));
  cpu_.state.cr4 &= ~u64{kCr4OsXmmExcpt};
  again({0xf2, 0x0f, 0x5e, 0xc1, 0xf4});
  EXPECT_TRUE(in_handler(6));
}

TEST_F(SseTest, ComparesSetFlags) {
  cpu_.state.rflags |= kFlagOf | kFlagSf;
  set_xmm(0, _mm_castpd_si128(_mm_set_sd(1.0)));
  set_xmm(1, _mm_castpd_si128(_mm_set_sd(2.0)));
  again({0x66, 0x0f, 0x2f, 0xc1, 0xf4});  // comisd
  EXPECT_TRUE(has_flag(kFlagCf));
  EXPECT_FALSE(has_flag(kFlagZf) || has_flag(kFlagPf) || has_flag(kFlagOf) || has_flag(kFlagSf));
}

TEST_F(SseTest, MmxUsesTheX87Registers) {
  fx_put<u16>(fx(), kFxFcw, kFcwInitial);
  cpu_.state.set_reg32(kEax, 0x12345678);
  again({0xd9, 0xe8, 0x0f, 0x6e, 0xd8, 0x0f, 0xfc, 0xdb, 0xf4});  // fld1; movd mm3, eax; paddb mm3, mm3
  EXPECT_EQ(fx_get<u64>(fx(), kFxSt + 48), 0x2468acf0u);
  EXPECT_EQ(fx().bytes[kFxTags], 0xff);
  EXPECT_EQ(fx_top(fx()), 0u);
  again({0x0f, 0x77, 0xf4});  // emms
  EXPECT_EQ(fx().bytes[kFxTags], 0);
}

TEST_F(SseTest, AvailabilityFollowsControlRegisters) {
  cpu_.state.cr4 &= ~u64{kCr4OsFxsr};
  again({0x0f, 0x57, 0xc0, 0xf4});
  EXPECT_TRUE(in_handler(6));
  again({0x0f, 0xfc, 0xdb, 0xf4});  // MMX does not ask OSFXSR
  EXPECT_FALSE(in_handler(6));
  cpu_.state.cr4 |= kCr4OsFxsr;
  cpu_.state.cr0 |= kCr0Ts;
  again({0x0f, 0x57, 0xc0, 0xf4});
  EXPECT_TRUE(in_handler(7));
}

TEST_F(SseTest, FxsaveLeavesTheReservedAreaAlone) {
  std::memset(memory_.base() + kData, 0x5a, 512);
  set_xmm(7, _mm_set1_epi8(0x77));
  again({0x0f, 0xae, 0x05, 0x00, 0x50, 0x00, 0x00, 0xf4});
  EXPECT_EQ(peek_at<u32>(kData + kFxXmmEnd - 4), 0x77777777u);
  for (u32 i = kFxXmmEnd; i < 512; ++i) EXPECT_EQ(peek_at<u8>(kData + i), 0x5a);
  EXPECT_EQ(data(kFxMxcsrMask), 0xffffu);
  poke<u32>(kData + kFxMxcsr, 0x00010000);
  again({0x0f, 0xae, 0x0d, 0x00, 0x50, 0x00, 0x00, 0xf4});  // fxrstor with a reserved MXCSR bit
  EXPECT_TRUE(in_handler(13));
  poke<u32>(kData, 0x1f80 | 0x10000);
  again({0x0f, 0xae, 0x15, 0x00, 0x50, 0x00, 0x00, 0xf4});  // ldmxcsr
  EXPECT_TRUE(in_handler(13));
}

TEST_F(SseTest, MaskedStore) {
  set_xmm(0, _mm_set1_epi8(0x11));
  set_xmm(1, _mm_set_epi64x(0, static_cast<i64>(0x8000000000000080)));
  cpu_.state.set_reg32(kEdi, kData);
  again({0x66, 0x0f, 0xf7, 0xc1, 0xf4});
  EXPECT_EQ(peek_at<u64>(kData), 0x1100000000000011u);
  EXPECT_EQ(peek_at<u64>(kData + 8), 0u);
}

}  // namespace
}  // namespace ringshift
