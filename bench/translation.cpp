// Translation: decoding, emitting and translating, part by part.
#include "bench/bench_machine.h"
#include "cpu-model/interp/interpreter.h"
#include "translator/block_translator.h"
#include "translator/listing.h"
#include "translator/runtime_stubs.h"

namespace ringshift::bench {

using namespace asmjit::x86;  // NOLINT: register names

namespace {

// What compilers make of ordinary code: moves, loads and stores, arithmetic, compares, branches, calls.
void ordinary_code(Assembler& as) {
  for (int i = 0; i < 24; ++i) {
    const asmjit::Label skip = as.newLabel();
    as.push(ebp);
    as.mov(ebp, esp);
    as.sub(esp, 0x18);
    as.mov(eax, dword_ptr(ebp, 8));
    as.mov(edx, dword_ptr(eax, ecx, 2, 0x40));
    as.test(edx, edx);
    as.jz(skip);
    as.movzx(ecx, byte_ptr(edx, 3));
    as.lea(eax, ptr(ecx, ecx, 2, -7));
    as.shl(eax, 3);
    as.and_(eax, 0xfff0);
    as.mov(dword_ptr(esp, 4), eax);
    as.cmp(eax, 0x1234);
    as.setne(al);
    as.movzx(eax, al);
    as.xor_(edx, edx);
    as.imul(ecx, eax, 1000);
    as.add(dword_ptr(ebp, -8), ecx);
    as.bind(skip);
    as.mov(eax, 1);
    as.leave();
    as.ret();
  }
}

void set_bytes(benchmark::State& bench, u64 bytes, u64 instructions) {
  bench.SetBytesProcessed(static_cast<i64>(static_cast<u64>(bench.iterations()) * bytes));
  bench.counters["instruction"] =
      benchmark::Counter(static_cast<double>(instructions),
                         benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void decode(benchmark::State& bench) {
  const std::vector<u8> code = BenchMachine::assemble(BenchMachine::kCode, ordinary_code);
  const CpuidTable cpuid = CpuidTable::create("n270").value();
  const Decoder decoder(cpuid);
  Instruction insn;
  u64 instructions = 0;
  for (auto _ : bench) {
    instructions = 0;
    for (std::size_t at = 0; at < code.size(); at += insn.length, ++instructions) {
      if (decoder.decode(std::span(code).subspan(at), CodeMode::protected32, insn) != DecodeStatus::ok)
        return bench.SkipWithError("not decoded");
      benchmark::DoNotOptimize(insn);
    }
  }
  set_bytes(bench, code.size(), instructions);
}
BENCHMARK(decode)->Name("Translate/decode");

// Reads the blocks of the ordinary code, one after another.
std::vector<bt::GuestBlock> read_blocks(BenchMachine& machine, const Decoder& decoder, u32 bytes) {
  std::vector<bt::GuestBlock> blocks;
  for (u32 eip = BenchMachine::kCode; eip < BenchMachine::kCode + bytes;) {
    auto block = bt::read_guest_block(machine.cpu(), decoder, eip);
    if (!block || block->instructions.empty()) return {};
    eip = block->end_eip();
    blocks.push_back(std::move(*block));
  }
  return blocks;
}

// Mode keys come from the CPU as it stands; without paging, as few things as possible are in the way.
struct TranslationBench {
  BenchMachine machine;
  Decoder decoder{machine.cpu().cpuid};
  Interpreter interpreter{machine.cpu()};
  bt::Listing listing{machine.cpu().trace};
  Result<bt::CodeCache> cache = bt::CodeCache::create(u64{4} << 20);
  u32 bytes = 0;

  TranslationBench() {
    const std::vector<u8> code = BenchMachine::assemble(BenchMachine::kCode, ordinary_code);
    bytes = static_cast<u32>(code.size());
    machine.physical().write(BenchMachine::kCode, code.data(), code.size());
  }
};

void read_block(benchmark::State& bench) {
  TranslationBench parts;
  u64 instructions = 0;
  for (auto _ : bench) {
    const auto blocks = read_blocks(parts.machine, parts.decoder, parts.bytes);
    if (blocks.empty()) return bench.SkipWithError("not read");
    instructions = 0;
    for (const bt::GuestBlock& block : blocks) instructions += block.instructions.size();
  }
  set_bytes(bench, parts.bytes, instructions);
}
BENCHMARK(read_block)->Name("Translate/read_blocks");

// range(0): with the reading, or from blocks that were read before (the emitter's part).
void translate(benchmark::State& bench) {
  TranslationBench parts;
  if (!parts.cache) return bench.SkipWithError("no code cache");
  // The stubs are addresses only: nothing here runs.
  const auto stubs = bt::emit_runtime_stubs(*parts.cache, bt::Helpers{});
  if (!stubs) return bench.SkipWithError("no stubs");
  bt::BlockTranslator translator(*parts.cache, *stubs, parts.interpreter, parts.listing);
  const bt::ModeKey mode(parts.machine.cpu());
  const auto read_before = read_blocks(parts.machine, parts.decoder, parts.bytes);
  u64 instructions = 0;
  for (auto _ : bench) {
    parts.cache->rewind();
    const auto blocks =
        bench.range(0) != 0 ? read_blocks(parts.machine, parts.decoder, parts.bytes) : read_before;
    instructions = 0;
    for (const bt::GuestBlock& block : blocks) {
      const auto translated = translator.translate(block, mode, false);
      if (translated == nullptr) return bench.SkipWithError("no room");
      instructions += block.instructions.size();
    }
  }
  set_bytes(bench, parts.bytes, instructions);
}
BENCHMARK(translate)->Name("Translate/blocks")->ArgName("read")->Arg(1)->Arg(0);

// AsmJit alone: 32 additions of registers.
void emit(benchmark::State& bench) {
  constexpr int kInstructions = 32;
  for (auto _ : bench) {
    asmjit::CodeHolder code;
    code.init(asmjit::Environment::host());
    Assembler as(&code);
    for (int i = 0; i < kInstructions; ++i) as.add(eax, ecx);
    benchmark::DoNotOptimize(code.textSection()->buffer().data());
  }
  set_bytes(bench, 2 * kInstructions, kInstructions);
}
BENCHMARK(emit)->Name("Translate/emit_asmjit");

}  // namespace

}  // namespace ringshift::bench
