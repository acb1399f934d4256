// Integer rows: sieve, sort, recursion, hashes and long division.
#include <stdlib.h>
#include <string.h>

#include "suite.h"

enum { kSieve = 1 << 16, kSorted = 2048, kHashed = 4096 };

static uint32_t sieve(uint32_t count) {
  static uint8_t composite[kSieve];
  uint32_t primes = 0;
  while (count--) {
    memset(composite, 0, sizeof composite);
    primes = 0;
    for (uint32_t i = 2; i < kSieve; ++i) {
      if (composite[i]) continue;
      ++primes;
      for (uint32_t j = 2 * i; j < kSieve; j += i) composite[j] = 1;
    }
    HIDE(primes);
  }
  return primes;
}

static int by_value(const void* a, const void* b) {
  const uint32_t x = *(const uint32_t*)a, y = *(const uint32_t*)b;
  return x < y ? -1 : x > y;
}

static uint32_t sort(uint32_t count) {
  static uint32_t values[kSorted];
  uint32_t sum = 0;
  while (count--) {
    uint32_t random = 12345;
    for (int i = 0; i < kSorted; ++i) values[i] = next_random(&random);
    qsort(values, kSorted, sizeof values[0], by_value);
    sum = 0;
    for (int i = 0; i < kSorted; i += 64) sum = mix(sum, values[i]);
  }
  return sum;
}

static __attribute__((noinline, noclone)) uint32_t fib_of(uint32_t n) {
  HIDE(n);
  return n < 2 ? n : fib_of(n - 1) + fib_of(n - 2);
}

static uint32_t fib(uint32_t count) {
  uint32_t result = 0;
  while (count--) result = fib_of(20);
  return result;
}

static const uint8_t* text(void) {
  static uint8_t bytes[kHashed];
  uint32_t random = 99;
  for (int i = 0; i < kHashed; ++i) bytes[i] = (uint8_t)next_random(&random);
  return bytes;
}

static uint32_t rotate(uint32_t value, int by) { return (value >> by) | (value << (32 - by)); }

// SHA-256's constants: fractional parts of the cube roots of the first 64 primes, found here in integers.
static const uint32_t* round_constants(void) {
  static uint32_t constants[64];
  if (constants[0]) return constants;
  int found = 0;
  for (uint32_t p = 2; found < 64; ++p) {
    int prime = 1;
    for (uint32_t d = 2; d * d <= p; ++d) prime &= p % d != 0;
    if (!prime) continue;
    // The largest r with r^3 <= p * 2^96: its low 32 bits are what follows the point.
    uint64_t root = 0;
    for (int bit = 34; bit >= 0; --bit) {
      const uint64_t r = root | (uint64_t)1 << bit;
      const uint64_t square_low = (r & 0xffffffff) * (r & 0xffffffff);
      const uint64_t square_mid = 2 * (r >> 32) * (r & 0xffffffff) + (square_low >> 32);
      const uint64_t square_high = (r >> 32) * (r >> 32) + (square_mid >> 32);
      const uint32_t square[3] = {(uint32_t)square_low, (uint32_t)square_mid, (uint32_t)square_high};
      uint64_t carry = 0, cube_high = 0;
      for (int i = 0; i < 3; ++i) {
        const uint64_t low = square[i] * (r & 0xffffffff) + (carry & 0xffffffff);
        const uint64_t high = square[i] * (r >> 32) + (carry >> 32) + (low >> 32);
        carry = high;
        if (i == 2) cube_high = high;
      }
      if (cube_high < p) root = r;
    }
    constants[found++] = (uint32_t)root;
  }
  return constants;
}

static void sha256_block(uint32_t state[8], const uint8_t* block, const uint32_t* k) {
  uint32_t w[64];
  for (int i = 0; i < 16; ++i, block += 4)
    w[i] = (uint32_t)block[0] << 24 | (uint32_t)block[1] << 16 | (uint32_t)block[2] << 8 | block[3];
  for (int i = 16; i < 64; ++i) {
    const uint32_t s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ (w[i - 15] >> 3);
    const uint32_t s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ (w[i - 2] >> 10);
    w[i] = w[i - 16] + s0 + w[i - 7] + s1;
  }
  uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
  uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
  for (int i = 0; i < 64; ++i) {
    const uint32_t t1 =
        h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) + k[i] + w[i];
    const uint32_t t2 = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
  }
  state[0] += a, state[1] += b, state[2] += c, state[3] += d;
  state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

static uint32_t sha256(uint32_t count) {
  const uint8_t* bytes = text();
  const uint32_t* k = round_constants();
  uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                       0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  while (count--)
    for (int i = 0; i < kHashed; i += 64) sha256_block(state, bytes + i, k);
  return state[0] ^ state[7];
}

static uint32_t crc32(uint32_t count) {
  static uint32_t table[256];
  for (uint32_t i = 0; i < 256; ++i) {
    table[i] = i;
    for (int bit = 0; bit < 8; ++bit) table[i] = (table[i] >> 1) ^ (table[i] & 1 ? 0xedb88320u : 0);
  }
  const uint8_t* bytes = text();
  uint32_t crc = ~0u;
  while (count--)
    for (int i = 0; i < kHashed; ++i) crc = (crc >> 8) ^ table[(crc ^ bytes[i]) & 0xff];
  return ~crc;
}

static uint32_t divide64(uint32_t count) {
  uint64_t value = 0xfedcba9876543210ull, sum = 0;
  while (count--)
    for (uint32_t i = 0; i < 64; ++i) {
      uint64_t divisor = 0x100000007ull + ((uint64_t)i << 20);
      HIDE(divisor);
      sum += value / divisor + value % (divisor >> 3);
      value = value * 6364136223846793005ull + 1442695040888963407ull;
    }
  return (uint32_t)(sum ^ (sum >> 32));
}

const struct row integer_rows[] = {{"sieve", "integer", sieve, 1, 1},
                                   {"qsort", "integer", sort, 1, 1},
                                   {"fib", "integer", fib, 1, 1},
                                   {"sha256", "integer", sha256, 1, 3},
                                   {"crc", "integer", crc32, 1, 3},
                                   {"divide64", "divide", divide64, 128, 100},
                                   {0}};
