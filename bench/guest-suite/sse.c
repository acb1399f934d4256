// SSE rows. Compiled with -msse2.
#include <emmintrin.h>
#include <string.h>

#include "suite.h"

enum { kFloats = 2048 };

static float x[kFloats] __attribute__((aligned(16))), y[kFloats] __attribute__((aligned(16)));

static uint32_t bits_of(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

// y = a x + y in single precision, y taken back by a second pass so that it never grows.
static uint32_t saxpy(uint32_t count) {
  for (int i = 0; i < kFloats; ++i) x[i] = (float)(i % 97), y[i] = (float)(i % 31);
  while (count--) {
    __m128 a = _mm_set1_ps(0.5f);
    for (int pass = 0; pass < 2; ++pass) {
      for (int i = 0; i < kFloats; i += 4)
        _mm_store_ps(y + i, _mm_add_ps(_mm_mul_ps(a, _mm_load_ps(x + i)), _mm_load_ps(y + i)));
      a = _mm_sub_ps(_mm_setzero_ps(), a);
      HIDE(y[0]);
    }
  }
  uint32_t sum = 0;
  for (int i = 0; i < kFloats; i += 16) sum = mix(sum, bits_of(y[i]));
  return sum;
}

static uint32_t dot_product(uint32_t count) {
  static double left[kFloats / 2] __attribute__((aligned(16))),
      right[kFloats / 2] __attribute__((aligned(16)));
  for (int i = 0; i < kFloats / 2; ++i) left[i] = 1.0 / (i + 1), right[i] = i;
  double result[2] = {0, 0};
  while (count--) {
    __m128d sum0 = _mm_setzero_pd(), sum1 = _mm_setzero_pd();
    for (int i = 0; i < kFloats / 2; i += 4) {
      sum0 = _mm_add_pd(sum0, _mm_mul_pd(_mm_load_pd(left + i), _mm_load_pd(right + i)));
      sum1 = _mm_add_pd(sum1, _mm_mul_pd(_mm_load_pd(left + i + 2), _mm_load_pd(right + i + 2)));
    }
    _mm_storeu_pd(result, _mm_add_pd(sum0, sum1));
    HIDE(result[0]);
  }
  uint32_t words[4];
  memcpy(words, result, sizeof words);
  return mix(mix(words[0], words[1]), mix(words[2], words[3]));
}

// An integer hash of four lanes: shifts, multiplications, shuffles.
static uint32_t lanes(uint32_t count) {
  __m128i state = _mm_set_epi32(1, 2, 3, 4);
  const __m128i factor = _mm_set1_epi32((int)0x9e3779b1);
  while (count--)
    for (int i = 0; i < 1024; ++i) {
      const __m128i even = _mm_mul_epu32(state, factor);
      const __m128i odd = _mm_mul_epu32(_mm_srli_si128(state, 4), factor);
      state = _mm_xor_si128(_mm_shuffle_epi32(even, 0x4e), _mm_slli_epi32(odd, 7));
      state = _mm_add_epi32(state, _mm_srli_epi32(state, 15));
      state = _mm_unpacklo_epi16(state, _mm_shuffle_epi32(state, 0xb1));
    }
  uint32_t words[4];
  _mm_storeu_si128((__m128i*)words, state);
  return mix(mix(words[0], words[1]), mix(words[2], words[3]));
}

const struct row sse_rows[] = {{"sse-saxpy", "sse", saxpy, 1, 1},
                               {"sse2-dot", "sse", dot_product, 1, 1},
                               {"sse2-integer", "sse", lanes, 1, 1},
                               {0}};
