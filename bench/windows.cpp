// Windows: what it costs to fill, to empty and to resynchronise them, without the host's fault itself.
#include "bench/bench_machine.h"
#include "mmu-shadow/shadow_window.h"

namespace ringshift::bench {

namespace {

// Pages whose neighbours can't be mapped with them in one call.
Gva address_of(u32 page) { return BenchMachine::kBackwards + (page << kPageShift); }

void window_fill(benchmark::State& bench) {
  BenchMachine machine;
  Cpu& cpu = machine.cpu();
  auto window = ShadowWindow::create(machine.physical(), {WindowRole::supervisor, BenchMachine::kDirectory});
  if (!window) return bench.SkipWithError(window.error().message.c_str());
  u32 page = 0;
  for (auto _ : bench) {
    const auto filled = (*window)->fill(cpu, address_of(page), AccessKind::write);
    if (!filled || *filled != FillResult::mapped) return bench.SkipWithError("not mapped");
    if (++page < BenchMachine::kBackwardsPages) continue;
    bench.PauseTiming();
    (*window)->drop_all();
    page = 0;
    bench.ResumeTiming();
  }
  const auto& counters = (*window)->counters();
  bench.counters["pages_per_fill"] =
      static_cast<double>(counters.pages_mapped) / static_cast<double>(counters.fills);
}
BENCHMARK(window_fill)->Name("Window/fill");

// MOV CR3 to the same address space, with so many pages mapped and nothing changed.
void window_resync(benchmark::State& bench) {
  BenchMachine machine;
  Cpu& cpu = machine.cpu();
  auto window = ShadowWindow::create(machine.physical(), {WindowRole::supervisor, BenchMachine::kDirectory});
  if (!window) return bench.SkipWithError(window.error().message.c_str());
  for (u32 page = 0; page < bench.range(0); ++page)
    if (!(*window)->fill(cpu, address_of(page), AccessKind::write)) return bench.SkipWithError("not mapped");
  for (auto _ : bench) (*window)->resync(cpu);
  bench.counters["pages"] = static_cast<double>((*window)->pages());
}
BENCHMARK(window_resync)->Name("Window/resync")->Arg(16)->Arg(256)->Arg(2048);

}  // namespace

}  // namespace ringshift::bench
