// Self-modifying code: what a store to a page of code costs, and what becomes of the blocks there.
#include "bench/bench_machine.h"

namespace ringshift::bench {

using namespace asmjit::x86;  // NOLINT: register names

namespace {

constexpr u32 kSite = BenchMachine::kCode + 0x1000;
using Memory = BtOptions::Memory;

// A loop that stores to kSite's page through ESI, and calls what stands at kSite.
void run(benchmark::State& bench, const BenchMachine::Body& site, const BenchMachine::Body& store) {
  BenchMachine machine;
  machine.put(kSite, site);
  machine.run_loop(
      bench, Memory::automatic, [](Assembler& as) { as.mov(esi, kSite); },
      [&](Assembler& as) {
        store(as);
        as.call(asmjit::Imm(kSite));
      });
}

void returns_a_constant(Assembler& as) {
  as.mov(eax, 1);
  as.ret();
}

// The operand of an instruction, always another.
void patch_and_call(benchmark::State& bench) {
  run(bench, returns_a_constant, [](Assembler& as) { as.mov(dword_ptr(esi, 1), ebp); });
}
BENCHMARK(patch_and_call)->Name("Code/patch_and_call");

// An instruction: one of two in turns.
void change_and_call(benchmark::State& bench) {
  run(
      bench,
      [](Assembler& as) {
        as.inc(eax);
        as.ret();
      },
      [](Assembler& as) {
        as.mov(ecx, ebp);
        as.and_(ecx, 1);
        as.add(ecx, 0x40);
        as.mov(byte_ptr(esi), cl);
      });
}
BENCHMARK(change_and_call)->Name("Code/change_and_call");

// Ever new code: the shift's count is no operand that is read in place.
void renew_and_call(benchmark::State& bench) {
  run(
      bench,
      [](Assembler& as) {
        as.shl(eax, 7);
        as.imul(ecx, eax, 77);
        as.ret();
      },
      [](Assembler& as) {
        as.imul(ecx, ebp, 0x9e3779b9);
        as.shr(ecx, 8);
        as.mov(byte_ptr(esi, 2), cl);
        as.mov(byte_ptr(esi, 5), ch);
      });
}
BENCHMARK(renew_and_call)->Name("Code/renew_and_call");

// Data on the same page.
void data_beside_code(benchmark::State& bench) {
  run(bench, returns_a_constant, [](Assembler& as) { as.mov(dword_ptr(esi, 0x800), ebp); });
}
BENCHMARK(data_beside_code)->Name("Code/data_beside_code");

// The operand of the next instruction.
void patch_what_follows(benchmark::State& bench) {
  BenchMachine machine;
  machine.run_loop(
      bench, Memory::automatic, [](Assembler& as) { as.mov(eax, 1); },
      [](Assembler& as) {
        // MOV [next's operand], EBP; MOV EDX, imm.
        const u32 next = BenchMachine::kCode + static_cast<u32>(as.offset()) + 6;
        as.mov(dword_ptr(next + 1), ebp);
        as.mov(edx, 0);
      });
}
BENCHMARK(patch_what_follows)->Name("Code/patch_what_follows");

}  // namespace

}  // namespace ringshift::bench
