// BenchMachine: a CPU with RAM, page tables and an IDT, on which small guest loops run through an engine.
#pragma once

#include <asmjit/x86.h>
#include <benchmark/benchmark.h>

#include <functional>
#include <memory>

#include "cpu-model/cpu.h"
#include "cpu-model/empty_board.h"
#include "translator/bt_engine.h"

namespace ringshift::bench {

// No devices. A write to kInterruptPort asserts INTR; its acknowledgement gives kInterruptVector.
class BenchIo final : public EmptyBoard {
 public:
  static constexpr u16 kInterruptPort = 0x50;
  static constexpr u8 kInterruptVector = 0x40;

  explicit BenchIo(RunControl& control) : control_(control) {}
  void port_out(u16 port, unsigned, u32) override {
    if (port == kInterruptPort) control_.raise_event(kEventInterrupt);
  }
  int acknowledge_interrupt() override {
    control_.clear_event(kEventInterrupt);
    return kInterruptVector;
  }

 private:
  RunControl& control_;
};

class BenchMachine {
 public:
  static constexpr u64 kRam = u64{32} << 20;
  // Guest-physical places. All of RAM is mapped where it is, in global pages of 4 KiB, as a kernel maps it.
  static constexpr u32 kDirectory = 0x1000, kSecondDirectory = 0x2000;
  static constexpr u32 kGdt = 0x3000, kIdt = 0x4000, kStackTop = 0x8000;
  static constexpr u32 kHandlers = 0x9000;  // 64 bytes each
  static constexpr u32 kTables = 0x10000;
  static constexpr u32 kCode = 0x100000;
  static constexpr u32 kData = 0x400000;
  // The upper half of RAM once more, backwards and not global, so that no two neighbours are mapped alike.
  static constexpr u32 kBackwards = 0x40000000, kBackwardsPages = kRam / 2 >> kPageShift;
  static constexpr u32 kUnmapped = 0x80000000;

  BenchMachine();

  using Body = std::function<void(asmjit::x86::Assembler&)>;
  // The machine code (32-bit) that `body` emits, for this address.
  static std::vector<u8> assemble(u32 address, const Body& body);
  void put(u32 address, const Body& body);
  // The handler of an exception or interrupt; it ends with its own IRET.
  void set_handler(u8 vector, const Body& body);

  // Times `body` in a guest loop, EBP counting, by the translator; reports the time of one pass through it.
  // prepare sets up registers before the loop, and is a part of what runs.
  void run_loop(benchmark::State& bench, BtOptions::Memory memory, const Body& prepare, const Body& body);

  Cpu& cpu() { return cpu_; }
  PhysicalMap& physical() { return physical_; }

 private:
  void make_tables();
  void set_state();

  GuestMemory memory_;
  PhysicalMap physical_;
  CpuidTable cpuid_;
  RunControl control_;
  Tracer tracer_;
  Cpu cpu_;
  BenchIo io_;
};

}  // namespace ringshift::bench
