// Measuring: scales a row's rounds to the time that is given, and prints the median of several repetitions.
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "suite.h"

enum { kRepetitions = 5 };

static jmp_buf bail_out;

static const char* reason;

_Noreturn void give_up(const char* why) {
  reason = why;
  longjmp(bail_out, 1);
}

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static uint64_t time_of(const struct row* row, uint32_t count) {
  const uint64_t start = now();
  uint32_t result = row->run(count);
  HIDE(result);
  return now() - start;
}

// How many rounds take about `wanted` nanoseconds. Also warms caches, host and guest ones.
static uint32_t rounds_for(const struct row* row, uint64_t wanted) {
  uint64_t count = 1;
  for (;;) {
    const uint64_t took = time_of(row, (uint32_t)count);
    if (took >= wanted) return (uint32_t)count;
    if (took >= wanted / 8) return (uint32_t)(count * wanted / took);
    if (count > 0x08000000) return (uint32_t)count;
    count *= took < wanted / 64 ? 8 : 2;
  }
}

static int by_value(const void* a, const void* b) {
  const uint64_t x = *(const uint64_t*)a, y = *(const uint64_t*)b;
  return x < y ? -1 : x > y;
}

int measure(const struct row* row, unsigned milliseconds) {
  if (setjmp(bail_out)) {
    printf("row %-18s %-9s failed: %s\n", row->name, row->group, reason);
    return 1;
  }
  const uint32_t sum = row->run(row->check);
  const uint32_t count = rounds_for(row, (uint64_t)milliseconds * 1000000u / kRepetitions);
  uint64_t times[kRepetitions];
  for (int i = 0; i < kRepetitions; ++i) times[i] = time_of(row, count);
  qsort(times, kRepetitions, sizeof times[0], by_value);
  // In integers, so that a guest whose x87 is wrong still prints what it measured; and all at once, since the
  // kernel and the serial row write there too.
  const uint64_t hundredths = times[kRepetitions / 2] * 100 / ((uint64_t)count * row->operations);
  printf("row %-18s %-9s %10llu.%02u %08x\n", row->name, row->group, (unsigned long long)(hundredths / 100),
         (unsigned)(hundredths % 100), (unsigned)sum);
  fflush(stdout);
  return 0;
}
