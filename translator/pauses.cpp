// Figures of the pauses.
#include "translator/pauses.h"

#include <fmt/format.h>

namespace ringshift::bt {

void Pauses::report(StatsSink& sink, std::string_view group, const Histogram& histogram) {
  const auto us = [](u64 ns) { return static_cast<double>(ns) / 1000; };
  sink.count(group, "count", histogram.count());
  sink.figure(group, "p50", us(histogram.percentile(0.5)), "us");
  sink.figure(group, "p99", us(histogram.percentile(0.99)), "us");
  sink.figure(group, "p99.9", us(histogram.percentile(0.999)), "us");
  sink.figure(group, "max", us(histogram.max()), "us");
  for (unsigned bit = 0; bit < 63; ++bit) {
    const u64 power = u64{1} << bit;
    if (const u64 count = histogram.octave_below(power))
      sink.count(group, fmt::format("below {} ns", power), count);
  }
}

}  // namespace ringshift::bt
