// Programs that only compute. Each pass does the same work from the same state, so that its result is one
// number on every machine and engine; written so that compilers leave the instructions alone.
#include "era-bench/user.h"

namespace {

// Passes until the sampler has enough; the results of all must be equal, else 0.
template <typename Pass>
[[gnu::always_inline]] inline u32 repeat(Pass pass) {
  const u32 result = pass();
  u32 wrong = 0;
  user_sample([&] { wrong |= pass() ^ result; });
  return wrong == 0 ? result : 0;
}

[[gnu::always_inline]] inline u32 sum_words(const u32* words, u32 count) {
  u32 sum = 0;
  for (u32 i = 0; i < count; ++i) sum = sum * 31 + words[i];
  return sum;
}

}  // namespace

// Sieve of Eratosthenes to 8,192, and Knuth's multiplicative hash of each prime: branches, bytes,
// multiplications.
u32 user_compute_integer(u32) {
  return repeat([] {
    constexpr u32 kLimit = 8192;
    volatile u8* composite = reinterpret_cast<volatile u8*>(kHeap);
    u32 sum = 0;
    for (u32 i = 0; i < kLimit; ++i) composite[i] = 0;
    for (u32 i = 2; i < kLimit; ++i) {
      if (composite[i] != 0) continue;
      sum = (sum ^ i) * 2654435761u;
      for (u32 j = i * i; j < kLimit; j += i) composite[j] = 1;
    }
    return sum;
  });
}

// x = sqrt(x * x / 3 + 1), 1,000 times in 80 bits, and the sum of all: chains of x87 operations, exact by
// IEEE 754.
u32 user_compute_x87(u32) {
  return repeat([] {
    alignas(8) u32 result[2];
    const u32 three = 3;
    u32 count = 1000;
    asm volatile(
        "fninit\n fldz\n fld1\n"  // sum, x
        "1: fld %%st(0)\n fmulp\n fidivl %2\n fld1\n faddp\n fsqrt\n"
        " fadd %%st(0), %%st(1)\n decl %1\n jnz 1b\n"
        " fstp %%st(0)\n fstpl %0"
        : "=m"(result), "+r"(count)
        : "m"(three)
        : "memory");
    return result[0] ^ result[1];
  });
}

// Four Newton iterations for 1/a at once (x = x * (2 - a * x)), over 256 vectors: packed single SSE.
u32 user_compute_sse(u32) {
  return repeat([] {
    alignas(16) static constexpr u32 kTwo[4] = {0x40000000, 0x40000000, 0x40000000, 0x40000000};
    alignas(16) static constexpr u32 kStart[4] = {0x3f800000, 0x3fc00000, 0x3f400000, 0x3fa00000};
    u32* out = reinterpret_cast<u32*>(kHeap);
    u32 count = 256;
    u32 to = kHeap;
    asm volatile(
        "movaps %2, %%xmm0\n movaps %3, %%xmm1\n movaps %%xmm0, %%xmm4\n mulps %%xmm0, %%xmm4\n"
        "1: movaps %%xmm0, %%xmm2\n mulps %%xmm4, %%xmm2\n movaps %%xmm1, %%xmm3\n subps %%xmm2, %%xmm3\n"
        " mulps %%xmm3, %%xmm0\n addps %%xmm0, %%xmm4\n sqrtps %%xmm4, %%xmm4\n movups %%xmm0, (%1)\n"
        " addl $16, %1\n decl %0\n jnz 1b"
        : "+r"(count), "+r"(to)
        : "m"(kStart), "m"(kTwo)
        : "memory");
    return sum_words(out, 1024);
  });
}

// a = b + 3 c over three arrays of 512 KiB (J. McCalpin's STREAM Triad, on integers), then a copy by REP
// MOVSD.
u32 user_compute_stream(u32) {
  constexpr u32 kWords = 128 << 10;
  u32* a = reinterpret_cast<u32*>(kHeap);
  u32* b = a + kWords;
  u32* c = b + kWords;
  for (u32 i = 0; i < kWords; ++i) b[i] = i * 7, c[i] = i ^ 0x5555;
  return repeat([=] {
    for (u32 i = 0; i < kWords; ++i) a[i] = b[i] + 3 * c[i];
    u32 count = kWords;
    const u32* from = a;
    u32* to = a + 3 * kWords;
    asm volatile("rep movsl" : "+c"(count), "+S"(from), "+D"(to)::"memory");
    return sum_words(a + 3 * kWords, kWords);
  });
}

// 30,000 steps through a list of 65,536 nodes, a cache line each: 4 MiB in an order that no prefetcher
// guesses. The order is a linear congruential generator of full period (Hull and Dobell: odd increment,
// multiplier 1 mod 4).
u32 user_compute_chase(u32) {
  constexpr u32 kNodes = 65536, kLine = 64, kSteps = 30000;
  for (u32 i = 0; i < kNodes; ++i)
    *reinterpret_cast<u32*>(kHeap + i * kLine) = kHeap + ((i * 58989 + 24691) % kNodes) * kLine;
  return repeat([] {
    u32 at = kHeap;
    for (u32 i = kSteps; i != 0; --i) at = *reinterpret_cast<volatile u32*>(at);
    return at;
  });
}
