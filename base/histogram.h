// Histogram: how often which values came, to an eighth of a power of two.
#pragma once

#include <algorithm>
#include <array>
#include <bit>

#include "base/types.h"

namespace ringshift {

class Histogram {
 public:
  void add(u64 value) {
    ++buckets_[bucket(value)];
    ++count_;
    max_ = std::max(max_, value);
  }
  u64 count() const { return count_; }
  u64 max() const { return max_; }
  // A value that at least this share (0 to 1) of all stay at or below, and at most an eighth above the least
  // such; 0 if there are none.
  u64 percentile(double share) const {
    const double wanted = share * static_cast<double>(count_);
    u64 sum = 0;
    for (unsigned i = 0; i < kBuckets; ++i) {
      sum += buckets_[i];
      if (sum != 0 && static_cast<double>(sum) >= wanted) return std::min(last_of(i), max_);
    }
    return max_;
  }
  // How many are below the power of two, and not below half of it (1: zeros only).
  u64 octave_below(u64 power) const {
    u64 sum = 0;
    for (unsigned i = 0; i < kBuckets; ++i)
      if (last_of(i) < power && last_of(i) >= power / 2) sum += buckets_[i];
    return sum;
  }

 private:
  static constexpr unsigned kParts = 8;  // of an octave
  static constexpr unsigned kBuckets = 62 * kParts;
  // Values below kParts have a bucket each; then the leading bit and the three behind it choose.
  static unsigned bucket(u64 value) {
    if (value < kParts) return static_cast<unsigned>(value);
    const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - 4;
    return shift * kParts + static_cast<unsigned>(value >> shift);
  }
  static u64 last_of(unsigned bucket) {
    if (bucket < 2 * kParts) return bucket;
    const unsigned shift = bucket / kParts - 1;
    return ((u64{bucket % kParts + kParts} + 1) << shift) - 1;
  }
  std::array<u64, kBuckets> buckets_{};
  u64 count_ = 0;
  u64 max_ = 0;
};

}  // namespace ringshift
