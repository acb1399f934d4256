// x87 rows. Compiled without -msse2, so that double arithmetic is the x87's.
#include <string.h>

#include "suite.h"

enum { kSide = 32 };

static uint32_t bits_of(double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return (uint32_t)(bits ^ (bits >> 32));
}

static uint32_t matrix(uint32_t count) {
  static double a[kSide][kSide], b[kSide][kSide], product[kSide][kSide];
  for (int i = 0; i < kSide; ++i)
    for (int j = 0; j < kSide; ++j) a[i][j] = 1.0 / (i + j + 1), b[i][j] = i - 0.5 * j;
  while (count--)
    for (int i = 0; i < kSide; ++i)
      for (int j = 0; j < kSide; ++j) {
        double sum = 0;
        for (int k = 0; k < kSide; ++k) sum += a[i][k] * b[k][j];
        product[i][j] = sum;
        HIDE(product[i][j]);
      }
  uint32_t sum = 0;
  for (int i = 0; i < kSide; ++i) sum = mix(sum, bits_of(product[i][kSide - 1 - i]));
  return sum;
}

static uint32_t mandelbrot(uint32_t count) {
  uint32_t sum = 0;
  while (count--) {
    sum = 0;
    for (int row = 0; row < 16; ++row)
      for (int column = 0; column < 24; ++column) {
        const double cr = column / 8.0 - 2.25, ci = row / 8.0 - 1.0625;
        double r = 0, i = 0;
        uint32_t steps = 0;
        for (; steps < 64; ++steps) {
          const double rr = r * r, ii = i * i;
          if (rr + ii > 4) break;
          i = 2 * r * i + ci;
          r = rr - ii + cr;
        }
        sum = mix(sum, steps);
      }
    HIDE(sum);
  }
  return sum;
}

const struct row x87_rows[] = {
    {"x87-matrix", "x87", matrix, 1, 1}, {"x87-mandelbrot", "x87", mandelbrot, 1, 1}, {0}};
