// A loop of 16-bit code in real-address mode, under the translator and in the interpreter.
#include "bench/bench_machine.h"
#include "cpu-model/interp/interpreter.h"

namespace ringshift::bench {

namespace {

constexpr u16 kPasses = 20000;

// MOV CX, kPasses; again: ADD AX, [BX+SI]; ROL AX, 1; MOV [BX+SI+1000], AX; ADD SI, 2; AND SI, FFF; PUSH AX;
// POP DX; LOOP again; HLT: eight instructions and four accesses a pass.
constexpr u8 kCode[] = {0xb9, kPasses & 0xff, kPasses >> 8, 0x03, 0x00, 0xd1, 0xc0, 0x89,
                        0x80, 0x00,           0x10,         0x83, 0xc6, 0x02, 0x81, 0xe6,
                        0xff, 0x0f,           0x50,         0x5a, 0xe2, 0xed, 0xf4};

template <class MakeEngine>
void run(benchmark::State& bench, const MakeEngine& make) {
  BenchMachine machine;
  Cpu& cpu = machine.cpu();
  constexpr u32 kBase = 0x20000;
  machine.physical().write(kBase, kCode, sizeof kCode);
  cpu.state.cr0 = kCr0Et;
  for (SegmentRegister& segment : cpu.state.seg) segment = {kBase >> 4, 0, 0x0093, 0xffff, 0, kBase};
  cpu.flush_all();
  RunControl& control = cpu.control;
  BenchIo io(control);
  const auto engine = make(cpu);
  for (auto _ : bench) {
    cpu.state.rip = 0;
    cpu.state.set_reg32(kEsp, 0xf000);
    cpu.state.set_reg32(kEbx, 0x4000);
    if (engine->run(io) != ExitReason::halted || cpu.state.eip() != sizeof kCode)
      return bench.SkipWithError("the loop did not end where it should");
    cpu.state.halted = 0;
  }
  bench.counters["pass"] = benchmark::Counter(
      kPasses, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void translated(benchmark::State& bench) {
  run(bench, [&](Cpu& cpu) {
    BtOptions options;
    options.memory = bench.range(0) == 0 ? BtOptions::Memory::soft : BtOptions::Memory::window;
    return BtEngine::create(cpu, options).value();
  });
}
BENCHMARK(translated)->Name("SmallCode/real_mode_loop")->ArgName("window")->Arg(0)->Arg(1);

void interpreted(benchmark::State& bench) {
  run(bench, [](Cpu& cpu) { return std::make_unique<Interpreter>(cpu); });
}
BENCHMARK(interpreted)->Name("SmallCode/real_mode_loop_interpreted");

}  // namespace

}  // namespace ringshift::bench
