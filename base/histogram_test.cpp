// Histogram: percentiles within an eighth, for small values exact.
#include "base/histogram.h"

#include <gtest/gtest.h>

namespace ringshift {
namespace {

TEST(HistogramTest, EmptyHasNothing) {
  const Histogram empty;
  EXPECT_EQ(empty.count(), 0u);
  EXPECT_EQ(empty.max(), 0u);
  EXPECT_EQ(empty.percentile(0.5), 0u);
}

TEST(HistogramTest, SmallValuesAreExact) {
  Histogram histogram;
  for (u64 value = 0; value < 16; ++value) histogram.add(value);
  for (u64 value = 0; value < 16; ++value)
    EXPECT_EQ(histogram.percentile((static_cast<double>(value) + 1) / 16), value);
  EXPECT_EQ(histogram.octave_below(1), 1u);   // 0
  EXPECT_EQ(histogram.octave_below(2), 1u);   // 1
  EXPECT_EQ(histogram.octave_below(8), 4u);   // 4-7
  EXPECT_EQ(histogram.octave_below(16), 8u);  // 8-15
}

TEST(HistogramTest, PercentilesAreAboveByAnEighthAtMost) {
  Histogram histogram;
  for (u64 value = 1; value <= 1'000'000; ++value) histogram.add(value);
  for (const double share : {0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const double exact = share * 1'000'000;
    const auto found = static_cast<double>(histogram.percentile(share));
    EXPECT_GE(found, exact);
    EXPECT_LE(found, exact * 1.125 + 1);
  }
  EXPECT_EQ(histogram.max(), 1'000'000u);
  EXPECT_EQ(histogram.percentile(1), 1'000'000u);
  u64 all = 0;
  for (unsigned bit = 0; bit <= 20; ++bit) all += histogram.octave_below(u64{1} << bit);
  EXPECT_EQ(all, 1'000'000u);
  EXPECT_EQ(histogram.octave_below(u64{1} << 15), u64{1} << 14);
}

TEST(HistogramTest, TheLargestValuesHaveABucket) {
  Histogram histogram;
  histogram.add(~u64{0});
  histogram.add(u64{1} << 63);
  histogram.add(3);
  EXPECT_EQ(histogram.count(), 3u);
  EXPECT_EQ(histogram.max(), ~u64{0});
  EXPECT_EQ(histogram.percentile(0.3), 3u);
  EXPECT_EQ(histogram.percentile(1), ~u64{0});
}

}  // namespace
}  // namespace ringshift
