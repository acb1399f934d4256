// Memory rows: copies, fills, and chains of dependent loads within and beyond the caches.
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "suite.h"

enum { kCopied = 1 << 20, kRep = 64 << 10, kLine = 64, kNear = 255 * kLine, kFar = 16 << 20 };

// Shared, so that no host makes huge pages of it and no later fork copies its page tables.
static uint8_t* map(size_t bytes) {
  uint8_t* memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) give_up("no memory");
  return memory;
}

static uint32_t sum_of(const uint8_t* bytes, size_t length) {
  uint32_t sum = 0;
  for (size_t i = 0; i < length; i += 61) sum = mix(sum, bytes[i]);
  return sum;
}

static uint32_t copy(uint32_t count) {
  static uint8_t *from, *to;
  if (!from) {
    from = map(kCopied), to = map(kCopied);
    for (int i = 0; i < kCopied; ++i) from[i] = (uint8_t)(i * 7 + (i >> 8));
  }
  memset(to, 1, kLine);
  while (count--) {
    uint8_t* target = to;
    HIDE(target);
    memcpy(target, from, kCopied);
  }
  return sum_of(to, kCopied);
}

static uint8_t near_from[kRep] __attribute__((aligned(4096))), near_to[kRep] __attribute__((aligned(4096)));

static uint32_t rep_movsd(uint32_t count) {
  for (int i = 0; i < kRep; ++i) near_from[i] = (uint8_t)(i * 3);
  while (count--) {
    void *from = near_from, *to = near_to;
    uint32_t words = kRep / 4;
    __asm__ volatile("rep movsl" : "+S"(from), "+D"(to), "+c"(words) : : "memory");
  }
  return sum_of(near_to, kRep);
}

static uint32_t rep_stosd(uint32_t count) {
  while (count--) {
    void* to = near_to;
    uint32_t words = kRep / 4;
    __asm__ volatile("rep stosl" : "+D"(to), "+c"(words) : "a"(0x01020304) : "memory");
  }
  return sum_of(near_to, kRep);
}

// A ring of pointers through all lines of `bytes`, in random order (Sattolo's shuffle gives one cycle).
static void** ring(size_t bytes) {
  const uint32_t lines = bytes / kLine;
  uint8_t* memory = map(bytes);
  uint32_t *order = (uint32_t*)map(lines * sizeof *order), random = 4711;
  for (uint32_t i = 0; i < lines; ++i) order[i] = i;
  for (uint32_t i = lines - 1; i > 0; --i) {
    const uint32_t other = next_random(&random) % i, kept = order[i];
    order[i] = order[other], order[other] = kept;
  }
  for (uint32_t i = 0; i < lines; ++i) *(void**)(memory + i * kLine) = memory + order[i] * kLine;
  munmap(order, lines * sizeof *order);
  return (void**)memory;
}

enum { kLoads = 1024 };

static uint32_t chase(size_t bytes, uint32_t count) {
  static void** start;
  static size_t made;
  if (made != bytes) {
    if (start) munmap(start, made);
    start = ring(bytes), made = bytes;
  }
  void** at = start;
  while (count--)
    for (int i = 0; i < kLoads; i += 4) at = *at, at = *at, at = *at, at = *at;
  HIDE(at);
  return (uint32_t)((uint8_t*)at - (uint8_t*)start);
}

static uint32_t chase_near(uint32_t count) { return chase(kNear, count); }
static uint32_t chase_far(uint32_t count) { return chase(kFar, count); }

const struct row memory_rows[] = {
    {"memcpy-1m", "memory", copy, 1, 1},           {"rep-movsd", "memory", rep_movsd, 1, 1},
    {"rep-stosd", "memory", rep_stosd, 1, 1},      {"chase-l1", "memory", chase_near, kLoads, 3},
    {"chase-far", "memory", chase_far, kLoads, 3}, {0}};
