// The board of a BenchMachine, and the loop that it times.
#include "bench/bench_machine.h"

#include <cstring>

#include "base/check.h"

namespace ringshift::bench {

using namespace asmjit::x86;  // NOLINT: register names

namespace {
constexpr u32 kPresent = 1, kWritable = 2, kAccessed = 0x20, kDirty = 0x40, kGlobal = 0x100;
constexpr u16 kCodeSelector = 0x08, kDataSelector = 0x10;
// Passes of one run: long enough that entering and leaving the engine vanishes.
constexpr u32 kPasses = 20000;
}  // namespace

BenchMachine::BenchMachine()
    : memory_(GuestMemory::create(kRam).value()),
      physical_(memory_),
      cpuid_(CpuidTable::create("n270").value()),
      cpu_(physical_, cpuid_, control_, tracer_),
      io_(control_) {
  make_tables();
  set_state();
  // What nothing else is set for stops the loop, and run_loop sees where.
  for (unsigned vector = 0; vector < 64; ++vector)
    set_handler(static_cast<u8>(vector), [](Assembler& as) { as.hlt(); });
}

void BenchMachine::make_tables() {
  constexpr u32 kPages = kRam >> kPageShift, kLeaf = kPresent | kWritable | kAccessed | kDirty;
  const auto poke = [this](u32 at, u32 value) { std::memcpy(memory_.base() + at, &value, 4); };
  const auto map_table = [&](u32 linear, u32 table) {
    for (const u32 directory : {kDirectory, kSecondDirectory})
      poke(directory + (linear >> 22) * 4, table | kPresent | kWritable | kAccessed);
  };
  const auto map = [&](u32 linear, u32 tables, u32 page, u32 entry) {
    poke(tables + page * 4, entry);
    if (page % 1024 == 0) map_table(linear + page * 4096, tables + page * 4);
  };
  for (u32 page = 0; page < kPages; ++page) map(0, kTables, page, page << kPageShift | kLeaf | kGlobal);
  for (u32 page = 0; page < kBackwardsPages; ++page)
    map(kBackwards, kTables + kPages * 4, page, (kPages - 1 - page) << kPageShift | kLeaf);
  constexpr u64 kFlatCode = 0x00cf9b000000ffff, kFlatData = 0x00cf93000000ffff;
  std::memcpy(memory_.base() + kGdt + kCodeSelector, &kFlatCode, 8);
  std::memcpy(memory_.base() + kGdt + kDataSelector, &kFlatData, 8);
}

void BenchMachine::set_state() {
  VcpuState& state = cpu_.state;
  state.cr0 = kCr0Pe | kCr0Mp | kCr0Et | kCr0Ne | kCr0Wp | kCr0Pg;
  state.cr3 = kDirectory;
  state.cr4 = kCr4OsFxsr | kCr4OsXmmExcpt | kCr4Pge | kCr4Pse;
  for (SegmentRegister& segment : state.seg) segment = {kDataSelector, 0, 0xc093, 0xffffffff, 0, 0};
  state.segment(Seg::cs) = {kCodeSelector, 0, 0xc09b, 0xffffffff, 0, 0};
  state.gdtr = {kGdt, 0xff, 0};
  state.idtr = {kIdt, 256 * 8 - 1, 0};
  state.cpl = 0;
}

std::vector<u8> BenchMachine::assemble(u32 address, const Body& body) {
  asmjit::CodeHolder code;
  RS_CHECK(code.init(asmjit::Environment(asmjit::Arch::kX86), address) == asmjit::kErrorOk);
  Assembler as(&code);
  body(as);
  RS_CHECK(code.flatten() == asmjit::kErrorOk && code.resolveUnresolvedLinks() == asmjit::kErrorOk);
  std::vector<u8> bytes(code.codeSize());
  RS_CHECK(code.relocateToBase(address) == asmjit::kErrorOk);
  RS_CHECK(code.copyFlattenedData(bytes.data(), bytes.size()) == asmjit::kErrorOk);
  return bytes;
}

void BenchMachine::put(u32 address, const Body& body) {
  const std::vector<u8> bytes = assemble(address, body);
  RS_CHECK(physical_.write(address, bytes.data(), bytes.size()));
}

void BenchMachine::set_handler(u8 vector, const Body& body) {
  const u32 handler = kHandlers + vector * 64;
  put(handler, body);
  const u32 gate[2] = {u32{kCodeSelector} << 16 | (handler & 0xffff), (handler & 0xffff0000) | 0x8e00};
  RS_CHECK(physical_.write(kIdt + vector * 8, gate, sizeof gate));
}

void BenchMachine::run_loop(benchmark::State& bench, BtOptions::Memory memory, const Body& prepare,
                            const Body& body) {
  u32 end = 0;
  put(kCode, [&](Assembler& as) {
    prepare(as);
    const asmjit::Label loop = as.newLabel();
    as.bind(loop);
    body(as);
    as.dec(ebp);
    as.jnz(loop);
    as.cli();
    as.hlt();
    end = kCode + static_cast<u32>(as.offset());
  });
  BtOptions options;
  options.memory = memory;
  auto engine = BtEngine::create(cpu_, options);
  if (!engine) return bench.SkipWithError(engine.error().message.c_str());
  const auto run_once = [&] {
    cpu_.state.rip = kCode;
    cpu_.state.set_reg32(kEsp, kStackTop);
    cpu_.state.set_reg32(kEbp, kPasses);
    cpu_.state.rflags = kFlagFixed | kFlagIf;
    cpu_.state.halted = 0;
    return (*engine)->run(io_);
  };
  // The first run translates; windows are given a few to be chosen in.
  for (int i = 0; i < 20; ++i) run_once();
  for (auto _ : bench) {
    const ExitReason reason = run_once();
    if (reason != ExitReason::halted || cpu_.state.eip() != end) {
      bench.SkipWithError("the guest loop went astray");
      break;
    }
  }
  bench.SetItemsProcessed(static_cast<i64>(bench.iterations()) * kPasses);
  bench.counters["pass"] = benchmark::Counter(
      kPasses, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

}  // namespace ringshift::bench
