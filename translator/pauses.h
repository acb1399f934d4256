// Pauses: how long the guest stood still while the translator worked for it.
#pragma once

#include "base/histogram.h"
#include "base/host_clock.h"
#include "cpu-model/execution_engine.h"

namespace ringshift::bt {

class Pauses {
 public:
  // Runs the work and counts its time.
  template <class Work>
  static void measure(Histogram& histogram, clockid_t clock, const Work& work) {
    const u64 begin = host_clock_ns(clock);
    work();
    histogram.add(host_clock_ns(clock) - begin);
  }
  void report(StatsSink& sink) const {
    report(sink, "pauses: eviction", eviction);
    report(sink, "pauses: eviction, cpu time", eviction_cpu);
    report(sink, "pauses: translation", translation);
  }

  Histogram eviction, eviction_cpu, translation;

 private:
  static void report(StatsSink& sink, std::string_view group, const Histogram& histogram);
};

}  // namespace ringshift::bt
