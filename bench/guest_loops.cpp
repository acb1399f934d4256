// Guest loops: what one pass costs under the translator. "pass" is its time; Loop/empty is in every one.
#include "bench/bench_machine.h"

namespace ringshift::bench {

using namespace asmjit::x86;  // NOLINT: register names

namespace {

using Memory = BtOptions::Memory;
using Body = BenchMachine::Body;

void nothing(Assembler&) {}

void run(benchmark::State& bench, Memory memory, const Body& prepare, const Body& body) {
  BenchMachine machine;
  machine.run_loop(bench, memory, prepare, body);
}

void loop_empty(benchmark::State& bench) { run(bench, Memory::automatic, nothing, nothing); }
BENCHMARK(loop_empty)->Name("Loop/empty");

// --- control flow

void chain(benchmark::State& bench) {
  run(bench, Memory::automatic, nothing, [](Assembler& as) {
    for (int i = 0; i < 8; ++i) {
      const asmjit::Label next = as.newLabel();
      as.jmp(next);
      as.bind(next);
    }
  });
}
BENCHMARK(chain)->Name("Chain/eight_jumps");

// An indirect jump that finds its target in the jump table, the same each time.
void lookup(benchmark::State& bench) {
  run(bench, Memory::automatic, nothing, [](Assembler& as) {
    const asmjit::Label target = as.newLabel();
    as.lea(eax, ptr(target));
    as.jmp(eax);
    as.bind(target);
  });
}
BENCHMARK(lookup)->Name("Lookup/jump");

void call_return(benchmark::State& bench) {
  BenchMachine machine;
  machine.put(BenchMachine::kCode + 0x1000, [](Assembler& as) { as.ret(); });
  machine.run_loop(bench, Memory::automatic, nothing,
                   [](Assembler& as) { as.call(asmjit::Imm(BenchMachine::kCode + 0x1000)); });
}
BENCHMARK(call_return)->Name("Lookup/call_return");

// --- memory

Memory memory_of(const benchmark::State& bench) {
  return bench.range(0) == 0 ? Memory::soft : Memory::window;
}

void load_hits(benchmark::State& bench) {
  run(
      bench, memory_of(bench), [](Assembler& as) { as.mov(esi, BenchMachine::kData); },
      [](Assembler& as) {
        for (int i = 0; i < 8; ++i) as.mov(eax, dword_ptr(esi, i * 4));
      });
}
BENCHMARK(load_hits)->Name("Memory/eight_loads")->ArgName("window")->Arg(0)->Arg(1);

// Dependent loads: what a hit adds to the latency.
void chase(benchmark::State& bench) {
  BenchMachine machine;
  const u32 self = BenchMachine::kData;
  machine.physical().write(self, &self, 4);
  machine.run_loop(
      bench, memory_of(bench), [](Assembler& as) { as.mov(esi, BenchMachine::kData); },
      [](Assembler& as) {
        for (int i = 0; i < 8; ++i) as.mov(esi, dword_ptr(esi));
      });
}
BENCHMARK(chase)->Name("Memory/chase_of_eight")->ArgName("window")->Arg(0)->Arg(1);

// Two pages that share an entry of the soft TLB, whatever its size up to 4,096 entries.
void soft_tlb_miss(benchmark::State& bench) {
  run(
      bench, Memory::soft, [](Assembler& as) { as.mov(esi, BenchMachine::kData); },
      [](Assembler& as) {
        as.mov(eax, dword_ptr(esi));
        as.xor_(esi, u32{1} << 24);
      });
}
BENCHMARK(soft_tlb_miss)->Name("SoftTlb/miss");

// --- the system

// MOV CR3 and two loads from pages that aren't global, with two address spaces in turn.
void cr3_switch(benchmark::State& bench) {
  run(
      bench, memory_of(bench),
      [](Assembler& as) {
        as.mov(eax, BenchMachine::kDirectory);
        as.mov(esi, BenchMachine::kBackwards);
      },
      [](Assembler& as) {
        as.xor_(eax, BenchMachine::kDirectory ^ BenchMachine::kSecondDirectory);
        as.mov(cr3, eax);
        as.mov(ecx, dword_ptr(esi));
        as.mov(ecx, dword_ptr(esi, 0x1000));
      });
}
BENCHMARK(cr3_switch)->Name("Cr3/switch_and_two_loads")->ArgName("window")->Arg(0)->Arg(1);

void port_out(benchmark::State& bench) {
  run(bench, Memory::automatic, nothing, [](Assembler& as) { as.out(0x51, al); });
}
BENCHMARK(port_out)->Name("Interrupt/out_alone");

// An OUT that asserts INTR, the delivery, and IRET.
void interrupt(benchmark::State& bench) {
  BenchMachine machine;
  machine.set_handler(BenchIo::kInterruptVector, [](Assembler& as) { as.iretd(); });
  machine.run_loop(bench, Memory::automatic, nothing, [](Assembler& as) {
    as.out(BenchIo::kInterruptPort, al);
    as.nop();
  });
}
BENCHMARK(interrupt)->Name("Interrupt/out_deliver_iret");

void software_interrupt(benchmark::State& bench) {
  BenchMachine machine;
  machine.set_handler(0x30, [](Assembler& as) { as.iretd(); });
  machine.run_loop(bench, Memory::automatic, nothing, [](Assembler& as) { as.int_(0x30); });
}
BENCHMARK(software_interrupt)->Name("Exception/int_iret");

// UD2; the handler steps over it.
void undefined(benchmark::State& bench) {
  BenchMachine machine;
  machine.set_handler(6, [](Assembler& as) {
    as.add(dword_ptr(esp), 2);
    as.iretd();
  });
  machine.run_loop(bench, Memory::automatic, nothing, [](Assembler& as) { as.ud2(); });
}
BENCHMARK(undefined)->Name("Exception/ud2_iret");

// A load from a page that isn't there; the handler steps over it.
void page_fault(benchmark::State& bench) {
  BenchMachine machine;
  machine.set_handler(14, [](Assembler& as) {
    as.add(esp, 4);
    as.add(dword_ptr(esp), 2);
    as.iretd();
  });
  machine.run_loop(
      bench, memory_of(bench), [](Assembler& as) { as.mov(esi, BenchMachine::kUnmapped); },
      [](Assembler& as) { as.mov(eax, dword_ptr(esi)); });
}
BENCHMARK(page_fault)->Name("Exception/page_fault_iret")->ArgName("window")->Arg(0)->Arg(1);

}  // namespace

}  // namespace ringshift::bench
