// Pauses: how long the guest stood still while the translator worked for it.
#pragma once

#include <time.h>

#include "base/histogram.h"
#include "cpu-model/execution_engine.h"

namespace ringshift::bt {

class Pauses {
 public:
  // Runs the work and counts its time.
  template <class Work>
  static void measure(Histogram& histogram, clockid_t clock, const Work& work) {
    const u64 begin = now_ns(clock);
    work();
    histogram.add(now_ns(clock) - begin);
  }
  void report(StatsSink& sink) const {
    report(sink, "pauses: eviction", eviction);
    report(sink, "pauses: eviction, cpu time", eviction_cpu);
    report(sink, "pauses: translation", translation);
  }

  Histogram eviction, eviction_cpu, translation;

 private:
  static u64 now_ns(clockid_t clock) {
    timespec now;
    ::clock_gettime(clock, &now);
    return static_cast<u64>(now.tv_sec) * 1'000'000'000 + static_cast<u64>(now.tv_nsec);
  }
  static void report(StatsSink& sink, std::string_view group, const Histogram& histogram);
};

}  // namespace ringshift::bt
