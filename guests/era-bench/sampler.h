// Samples of one row: how often to repeat, when enough is measured, and minimum and median.
//
// An operation of some cycles can't be timed alone: a batch of n is, n growing until it takes 1/32 of the
// row's time, and does so until half of that is over: an engine's translations can make the first few batches
// of one that long. The minimum tells what the operation costs, the median what it costs on this machine at
// this hour.
#pragma once

#include "runtime/types.h"

class Sampler {
 public:
  // cycles: the row's time. A batch has `most` operations at most.
  void start(u64 cycles, u32 most = 1u << 20);
  void limit_batch(u32 most) { most_ = most; }
  // The size of the first batch; then of the next, given the cycles of the last; 0: enough.
  u32 first();
  u32 next(u64 cycles);
  // For what is sampled one by one.
  void add(u64 cycles, u32 operations = 1);
  [[nodiscard]] bool enough() const;

  // In hundredths of a cycle.
  [[nodiscard]] u32 count() const { return count_; }
  u64 minimum();
  u64 median();

 private:
  static constexpr u32 kSamples = 256, kFewest = 5, kBatches = 32, kSettling = 2;
  void sort();

  u64 budget_ = 0, spent_ = 0;
  u64 settling_ = 0;  // spent by batches that are long enough, while n grows
  u32 most_ = 0, batch_ = 0, count_ = 0;
  bool sampling_ = false;
  u64 samples_[kSamples] = {};
};

// The row that is under way.
extern Sampler g_sampler;

// Times op() in batches.
template <typename Operation>
void sample(Operation op) {
  for (u32 n = g_sampler.first(); n != 0;) {
    u64 tsc;
    asm volatile("rdtsc" : "=A"(tsc)::"memory");
    for (u32 i = n; i != 0; --i) op();
    u64 end;
    asm volatile("rdtsc" : "=A"(end)::"memory");
    n = g_sampler.next(end - tsc);
  }
}
