// Batches, and order statistics of what they took.
#include "era-bench/sampler.h"

#include "runtime/arithmetic.h"

Sampler g_sampler;

void Sampler::start(u64 cycles, u32 most) {
  budget_ = cycles;
  spent_ = 0;
  most_ = most;
  batch_ = 1;
  count_ = 0;
  settling_ = 0;
  sampling_ = false;
}

u32 Sampler::first() { return batch_; }

// While n grows nothing is kept: that time warms caches, and an engine's translations.
u32 Sampler::next(u64 cycles) {
  spent_ += cycles;
  if (!sampling_) {
    const bool is_long = cycles >= budget_ / kBatches;
    if (!is_long && batch_ < most_) {
      settling_ = 0;
      return batch_ = batch_ * 2 > most_ ? most_ : batch_ * 2;
    }
    settling_ += cycles;
    sampling_ = !is_long || settling_ >= budget_ / kSettling;
    if (sampling_) spent_ = 0;
    return batch_;
  }
  add(cycles, batch_);
  return enough() ? 0 : batch_;
}

void Sampler::add(u64 cycles, u32 operations) {
  if (count_ == kSamples) return;
  samples_[count_++] = divide(cycles * 100, operations);
}

bool Sampler::enough() const { return count_ == kSamples || (count_ >= kFewest && spent_ >= budget_); }

// Shell's, with gaps of 1, 4, 13, 40, 121.
void Sampler::sort() {
  for (u32 gap = 121; gap > 0; gap /= 3)
    for (u32 i = gap; i < count_; ++i) {
      const u64 value = samples_[i];
      u32 j = i;
      for (; j >= gap && samples_[j - gap] > value; j -= gap) samples_[j] = samples_[j - gap];
      samples_[j] = value;
    }
}

u64 Sampler::minimum() {
  sort();
  return count_ == 0 ? 0 : samples_[0];
}

u64 Sampler::median() {
  sort();
  return count_ == 0 ? 0 : samples_[count_ / 2];
}
